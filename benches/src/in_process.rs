use crate::apps::{self, Contender, Work};
use crate::figure;

/// One request in process. In each round every application takes its turn, and starts elsewhere.
pub fn run(rounds: usize, batches: usize, only_app: Option<&str>, only_work: Option<&str>) {
    let names = apps::ALL.iter().map(|app| app.name);
    let names = names.filter(|name| only_app.is_none_or(|only| only.split(',').any(|only| only == *name)));
    let mut contenders: Vec<Contender> = names.map(Contender::new).collect();
    let works = Work::ALL.into_iter().filter(|work| only_work.is_none_or(|only| work.name() == only));
    let works: Vec<Work> = works.collect();
    // What is measured first is thrown away: caches and predictors are cold.
    for round in 0..=rounds {
        for work in &works {
            for contender in &mut contenders {
                let taken = contender.measure(*work, batches_of(*work, batches));
                if round > 0 {
                    let print =
                        |measure, value| figure::print("in-process", contender.name, work.name(), measure, value);
                    print("ns", taken.ns);
                    print("allocations", taken.allocations);
                    print("bytes", taken.bytes);
                }
            }
        }
        contenders.rotate_left(1);
    }
}

/// Fewer where sessions pile up, or where each request needs a login first.
fn batches_of(work: Work, batches: usize) -> usize {
    if matches!(work, Work::Login | Work::Logout) { (batches / 4).max(1) } else { batches }
}

/// Does work for callgrind to count: the difference of two runs is that of their requests.
pub fn once(app: &str, work: &str, batches: usize) {
    let app = apps::ALL.iter().find(|known| known.name == app).expect("a known application");
    let work = Work::ALL.into_iter().find(|known| known.name() == work).expect("known work");
    Contender::new(app.name).measure(work, batches);
}
