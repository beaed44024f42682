//! This library beside what a user would pick instead: `benches/run` runs everything and writes
//! RESULTS.md. Each part is a subcommand that prints lines of `measure value unit`.

mod apps;
mod expiry;
mod in_process;
mod lost_updates;
mod serve;
mod stats;
mod stores;

use clap::{Parser, Subcommand};

/// Counts what is allocated; the same for all that is compared.
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// One request in process: time, allocations, bytes.
    InProcess {
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        #[arg(long, default_value_t = 5000)]
        requests: usize,
        /// Only applications whose name contains this.
        #[arg(long)]
        app: Option<String>,
        /// Only this work.
        #[arg(long)]
        work: Option<String>,
    },
    /// Serves one application over HTTP until it is killed.
    Serve { app: String, port: u16 },
    /// Two clients count on one session at once.
    LostUpdates {
        #[arg(long, default_value_t = 50_000)]
        counts: usize,
    },
    /// One store alone, in a process of its own.
    Store { store: String, sessions: usize },
    /// A million sessions expire while others are read.
    Expiry { store: String, sessions: usize },
    /// New anonymous sessions at the bound.
    Flood { sessions: usize, bound: u64 },
    /// The names that the other subcommands take.
    Names,
}

fn main() {
    match Options::parse().part {
        Part::InProcess { rounds, requests, app, work } => {
            in_process::run(rounds, requests, app.as_deref(), work.as_deref());
        }
        Part::Serve { app, port } => serve::run(&app, port),
        Part::LostUpdates { counts } => lost_updates::run(counts),
        Part::Store { store, sessions } => stores::run(&store, sessions),
        Part::Expiry { store, sessions } => expiry::run(&store, sessions),
        Part::Flood { sessions, bound } => expiry::flood(sessions, bound),
        Part::Names => {
            println!("apps {}", apps::NAMES.join(" "));
            println!("stores {}", stores::NAMES.join(" "));
        }
    }
}
