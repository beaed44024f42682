use crate::apps::{self, Contender, Work};
use crate::figure;

/// One request in process. In each round every application takes its turn, and starts elsewhere. They are all that are
/// compared with each other, if none is named.
pub fn run(rounds: usize, batches: usize, only_app: Option<&str>, only_work: Option<&str>) {
    let apps: Vec<_> = match only_app {
        Some(names) => names.split(',').map(|name| apps::known(name).expect("a known application")).collect(),
        None => apps::ALL.iter().collect(),
    };
    let mut contenders: Vec<Contender> = apps.iter().map(|app| Contender::new(app.name)).collect();
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
    let app = apps::known(app).expect("a known application");
    let work = Work::ALL.into_iter().find(|known| known.name() == work).expect("known work");
    Contender::new(app.name).measure(work, batches);
}
