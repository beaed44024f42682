use benches::apps::{BATCH, PerRequest, Work};
use benches::stats::Sample;

use crate::apps::{self, Description, Kind};
use crate::hosts::Hosts;
use crate::print;
use crate::visitors::Visitors;

struct Contender<'a> {
    app: &'a Description,
    /// Of its visitors, once they have logged in.
    cookies: Vec<String>,
}

/// Times requests, one after the other. In each round every application takes its turn, and starts
/// elsewhere.
pub fn run(hosts: &Hosts, apps: &[&Description], rounds: usize, batches: usize) {
    let mut contenders: Vec<_> = apps.iter().map(|app| Contender { app, cookies: Vec::new() }).collect();
    for _ in 0..rounds {
        for contender in &mut contenders {
            contender.take_turn(hosts, batches);
        }
        contenders.rotate_left(1);
    }
}

impl Contender<'_> {
    /// Begins the application anew, so that nothing has waited for its turn in the background.
    fn take_turn(&mut self, hosts: &Hosts, batches: usize) {
        let app = apps::open(self.app.name, &hosts.url(self.app));
        let mut visitors = if self.cookies.is_empty() || self.app.kind == Kind::Nowhere {
            Visitors::log_in(app)
        } else {
            Visitors::who_return(app, std::mem::take(&mut self.cookies))
        };
        for work in Work::ALL {
            let taken = measure(&mut visitors, work, batches);
            let print = |measure, value| print(self.app, work.name(), measure, value);
            print("wall ns", taken.wall_ns);
            print("cpu ns", taken.process_ns);
            print("allocations", taken.allocations);
            print("bytes", taken.bytes);
        }
        self.cookies = visitors.leave();
    }
}

fn measure(visitors: &mut Visitors, work: Work, batches: usize) -> PerRequest {
    visitors.warm_up(work);
    let mut total = Sample::default();
    for _ in 0..batches {
        let cookies = visitors.cookies(work, BATCH);
        total += visitors.answer(work, &cookies);
    }
    PerRequest::of(total, batches * BATCH)
}
