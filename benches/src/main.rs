//! This library beside what a user would pick instead, on the same work. `benches/run` runs all
//! parts and writes RESULTS.md; each part is a subcommand that prints one figure a line.

mod expiry;
mod flood;
mod http;
mod in_process;
mod lost_updates;
mod serve;
mod stores;

use std::path::PathBuf;

use benches::{apps, figure, stats};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// One request in process: time, allocations, bytes.
    InProcess {
        rounds: usize,
        /// Of 64 requests each, in each round.
        batches: usize,
        /// Only these applications, separated by commas.
        #[arg(long)]
        app: Option<String>,
        #[arg(long)]
        work: Option<String>,
    },
    /// Requests of one kind, for callgrind to count their instructions.
    Once { app: String, work: String, batches: usize },
    /// Requests over HTTP, by wrk.
    Http {
        rounds: usize,
        seconds: u32,
        #[arg(long)]
        app: Option<String>,
    },
    /// Serves one application to visitors whose cookies it writes to a file, until it is killed.
    Serve { app: String, port: u16, visitors: usize, cookie_file: PathBuf },
    /// One store alone, which should be in a process of its own.
    Store { store: String, sessions: usize, operations: usize },
    /// So many sessions expire in one second while others are read.
    Expiry { store: String, sessions: usize },
    /// Our store in memory is flooded: all of it, or a part such as 0.1.
    Flood { flood: String, part: f64 },
    /// Two clients count on one session at once.
    LostUpdates { counts: usize },
    /// The names that other subcommands take.
    Names { of: String },
}

fn main() {
    match Options::parse().part {
        Part::InProcess { rounds, batches, app, work } => {
            in_process::run(rounds, batches, app.as_deref(), work.as_deref());
        }
        Part::Once { app, work, batches } => in_process::once(&app, &work, batches),
        Part::Http { rounds, seconds, app } => http::run(rounds, seconds, app.as_deref()),
        Part::Serve { app, port, visitors, cookie_file } => serve::run(&app, port, visitors, &cookie_file),
        Part::Store { store, sessions, operations } => stores::run(&store, sessions, operations),
        Part::Expiry { store, sessions } => expiry::run(&store, sessions),
        Part::Flood { flood, part } => flood::run(&flood, part),
        Part::LostUpdates { counts } => lost_updates::run(counts),
        Part::Names { of } => print_names(&of),
    }
}

fn print_names(of: &str) {
    let names: Vec<&str> = match of {
        "apps" => apps::ALL.iter().map(|app| app.name).collect(),
        "works" => apps::Work::ALL.iter().map(|work| work.name()).collect(),
        "stores" => stores::NAMES.into(),
        "expiry" => expiry::NAMES.into(),
        "floods" => flood::names().collect(),
        _ => panic!("there are names of apps, works, stores, expiry and floods"),
    };
    println!("{}", names.join(" "));
}
