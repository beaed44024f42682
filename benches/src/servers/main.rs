//! This library's stores on servers beside its peers' on the same servers: what one request asks of
//! the server, how long it takes, and what two clients at once lose. Prints one figure a line.

mod apps;
mod counting;
mod hosts;
mod lost_updates;
mod timing;
mod visitors;

use benches::figure;
use clap::Parser;

use crate::apps::Description;
use crate::hosts::Hosts;

#[derive(Parser)]
struct Options {
    /// Of timing requests.
    rounds: usize,
    /// Of 64 requests each, in each round.
    batches: usize,
    /// Of two clients that count.
    count_rounds: usize,
    /// By each of the two clients, in each round.
    counts: usize,
    /// Only these applications, separated by commas.
    #[arg(long)]
    app: Option<String>,
}

fn main() {
    let options = Options::parse();
    let is_wanted = |name: &str| options.app.as_ref().is_none_or(|only| only.split(',').any(|only| only == name));
    let hosts = Hosts::start();
    let apps: Vec<&Description> = apps::ALL.iter().filter(|app| is_wanted(app.name) && hosts.can_run(app)).collect();
    for app in &apps {
        counting::run(&hosts, app);
    }
    hosts.stop_counting();
    timing::run(&hosts, &apps, options.rounds, options.batches);
    for _ in 0..options.count_rounds {
        for app in &apps {
            lost_updates::run(&hosts, app, options.counts);
        }
    }
}

fn print(app: &Description, work: &str, measure: &str, value: f64) {
    figure::print("servers", app.name, work, measure, value);
}
