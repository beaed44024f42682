use benches::apps::Work;

use crate::apps::{self, Description};
use crate::hosts::{Counted, Hosts};
use crate::print;
use crate::visitors::Visitors;

/// Of each kind, one by each visitor.
const REQUESTS: usize = 1000;

/// Counts what one request of each kind asks of the server.
pub fn run(hosts: &Hosts, app: &Description) {
    if hosts.counted(app).is_none() {
        return;
    }
    let mut visitors = Visitors::log_in(apps::open(app.name, &hosts.counted_url(app)), REQUESTS);
    for work in Work::ALL {
        visitors.warm_up(work);
        let cookies = visitors.cookies(work, REQUESTS);
        let before = hosts.counted(app);
        visitors.answer(work, &cookies);
        let after = hosts.counted(app);
        let print = |measure, of: fn(Counted) -> Option<u64>| {
            if let (Some(before), Some(after)) = (before.and_then(of), after.and_then(of)) {
                print(app, work.name(), measure, (after - before) as f64 / REQUESTS as f64);
            }
        };
        print("round trips", |counted| counted.round_trips);
        print("commands", |counted| counted.work.map(|work| work.commands));
        print("writes", |counted| counted.work.map(|work| work.writes));
    }
}
