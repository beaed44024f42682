use std::collections::BTreeMap;

use crate::apps::{self, Work};
use crate::stats::{Sample, median};

/// Runs every application in turn, round by round, and prints medians.
pub fn run(rounds: usize, requests: usize, only_app: Option<&str>, only_work: Option<&str>) {
    let wanted = |name: &&str| only_app.is_none_or(|only| name.contains(only));
    let names: Vec<&str> = apps::NAMES.into_iter().filter(wanted).collect();
    let works = Work::ALL.into_iter().filter(|work| only_work.is_none_or(|only| work.name() == only));
    let works: Vec<Work> = works.collect();
    let mut contenders: Vec<_> = names.iter().map(|name| apps::app(name).expect("a known name")).collect();
    let mut samples: BTreeMap<(usize, usize), Vec<Sample>> = BTreeMap::new();
    for round in 0..=rounds {
        for (w, work) in works.iter().enumerate() {
            for (a, app) in contenders.iter_mut().enumerate() {
                // Logging out needs a session each, and logins pile up.
                let requests = if matches!(work, Work::Login | Work::Logout) { requests / 10 } else { requests };
                let sample = app.measure(*work, requests.max(1));
                // The first round warms up.
                if round > 0 || rounds == 0 {
                    samples.entry((a, w)).or_default().push(sample);
                }
            }
        }
    }
    for ((a, w), samples) in samples {
        let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field));
        println!(
            "{} {} {:.0} ns {:.1} allocations {:.0} bytes",
            names[a],
            works[w].name(),
            of(|sample| sample.ns),
            of(|sample| sample.allocations),
            of(|sample| sample.bytes)
        );
    }
}
