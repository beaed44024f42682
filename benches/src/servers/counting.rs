use benches::apps::Work;

use crate::apps::{self, Description};
use crate::hosts::Hosts;
use crate::print;
use crate::visitors::Visitors;

/// Of each kind, one by each visitor.
const REQUESTS: usize = 1000;

/// Counts what one request of each kind asks of the server.
pub fn run(hosts: &Hosts, app: &Description) {
    let Some(host) = hosts.host(app.kind) else { return };
    let mut visitors = Visitors::log_in(apps::open(app.name, &host.counted_url(app)), REQUESTS);
    for work in Work::ALL {
        visitors.warm_up(work);
        let cookies = visitors.cookies(work, REQUESTS);
        let before = host.counted();
        visitors.answer(work, &cookies);
        let after = host.counted();
        let print =
            |measure, before, after| print(app, work.name(), measure, (after - before) as f64 / REQUESTS as f64);
        print("round trips", before.round_trips, after.round_trips);
        print("commands", before.work.commands, after.work.commands);
        print("writes", before.work.writes, after.work.writes);
    }
}
