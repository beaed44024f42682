use benches::apps::{BATCH, PerRequest, Work};
use benches::stats::Sample;

use crate::apps::{self, Description};
use crate::hosts::Hosts;
use crate::print;
use crate::visitors::Visitors;

/// In the store beside those whose requests are timed.
const SESSIONS: usize = 1000;

/// Times requests, one after the other. In each round every application takes its turn, and starts
/// elsewhere.
pub fn run(hosts: &Hosts, apps: &[&Description], rounds: usize, batches: usize) {
    for app in apps {
        Visitors::log_in(apps::open(app.name, &hosts.url(app)), SESSIONS);
    }
    let mut apps = apps.to_vec();
    for _ in 0..rounds {
        for app in &apps {
            take_turn(hosts, app, batches);
        }
        apps.rotate_left(1);
    }
}

/// Begins the application anew, so that nothing has waited for its turn in the background.
fn take_turn(hosts: &Hosts, app: &Description, batches: usize) {
    let mut visitors = Visitors::log_in(apps::open(app.name, &hosts.url(app)), BATCH);
    for work in Work::ALL {
        let taken = measure(&mut visitors, work, batches);
        let print = |measure, value| print(app, work.name(), measure, value);
        print("wall ns", taken.wall_ns);
        print("cpu ns", taken.process_ns);
        print("allocations", taken.allocations);
        print("bytes", taken.bytes);
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
