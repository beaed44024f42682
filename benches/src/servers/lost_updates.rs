use std::thread;

use benches::apps::Work;

use crate::apps::{self, Description};
use crate::hosts::Hosts;
use crate::print;

/// Two clients count on one session, each by an application of its own, as two processes do.
pub fn run(hosts: &Hosts, app: &Description, counts: usize) {
    if app.kinds.is_empty() {
        return;
    }
    let url = hosts.url(app);
    let mut reader = apps::open(app.name, &url);
    let cookie = reader.log_in();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| apps::open(app.name, &url).answer(Work::Count, &vec![cookie.clone(); counts]));
        }
    });
    // Not by the reader, which may know the session from its login.
    let stored = apps::open(app.name, &url).count(&cookie);
    print(app, "two clients", "expected", (2 * counts) as f64);
    print(app, "two clients", "stored", stored as f64);
}
