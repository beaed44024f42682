//! Runs simulated worlds: `tests/simulate`.

#![expect(clippy::print_stdout, reason = "it is what people read")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use simulator::{Ended, device, run};

const HELP: &str = "\
tests/simulate [KIND] SEED...                   tells the story of each of these worlds
tests/simulate [KIND] --worlds N [--from SEED]  runs N worlds, of this seed and those after it
tests/simulate [KIND] --seconds T               runs fresh worlds for that long

KIND is --visits, for worlds of visits, or --devices, for worlds of the web layer under browsers whose sessions are bound to
their devices. A seed is one world of each kind. Without KIND they are worlds of visits.
A world that fails ends the run: its seed and its story are told. SIMULATE_ALL=1 tells all of the story,
and not only what is about the sessions that the failure is about.";

/// A kind of world.
#[derive(Clone, Copy)]
enum Kind {
    Visits,
    Devices,
}

enum Order {
    Stories(Vec<u64>),
    Worlds { from: u64, number: u64 },
    Seconds(u64),
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = match arguments.first().map(String::as_str) {
        Some("--visits") => Some(Kind::Visits),
        Some("--devices") => Some(Kind::Devices),
        _ => None,
    };
    if named.is_some() {
        arguments.remove(0);
    }
    let kind = named.unwrap_or(Kind::Visits);
    match order(arguments) {
        Some(Order::Stories(seeds)) => {
            let failures = seeds.iter().filter(|seed| tell(kind, **seed)).count();
            if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Some(Order::Worlds { from, number }) => many(kind, from, number, Duration::MAX),
        Some(Order::Seconds(seconds)) => many(kind, fresh(), u64::MAX, Duration::from_secs(seconds)),
        None => {
            println!("{HELP}");
            ExitCode::from(2)
        }
    }
}

impl Kind {
    fn run(self, seed: u64, is_told: bool) -> Ended {
        match self {
            Kind::Visits => run(seed, is_told),
            Kind::Devices => device::run(seed, is_told),
        }
    }

    /// The world as an argument of this program.
    fn argument(self) -> &'static str {
        match self {
            Kind::Visits => "",
            Kind::Devices => "--devices ",
        }
    }
}

fn order(arguments: Vec<String>) -> Option<Order> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--seconds", seconds] => Some(Order::Seconds(seconds.parse().ok()?)),
        ["--worlds", number] => Some(Order::Worlds { from: fresh(), number: number.parse().ok()? }),
        ["--worlds", number, "--from", seed] => {
            Some(Order::Worlds { from: seed.parse().ok()?, number: number.parse().ok()? })
        }
        [] => None,
        _ => words.iter().map(|seed| seed.parse().ok()).collect::<Option<_>>().map(Order::Stories),
    }
}

/// A seed that was not tried before, short enough to be typed.
fn fresh() -> u64 {
    fastrand::u64(..1_000_000_000_000)
}

/// Tells the story of a world. Whether it failed.
fn tell(kind: Kind, seed: u64) -> bool {
    let Ended { setup, violation, story, requests } = kind.run(seed, true);
    println!("World {seed}: {setup}");
    let all = violation.as_ref().is_none_or(|violation| violation.sessions.is_empty());
    let all = all || std::env::var_os("SIMULATE_ALL").is_some();
    let sessions = violation.as_ref().map(|violation| violation.sessions.clone()).unwrap_or_default();
    for line in story.iter().filter(|line| all || line.is_about(&sessions)) {
        println!("{line}");
    }
    match &violation {
        Some(violation) => println!("World {seed} fails: {}", violation.what),
        None => println!("World {seed} is in order after {requests} requests and calls"),
    }
    violation.is_some()
}

/// Runs worlds on all cores, until one fails.
fn many(kind: Kind, from: u64, number: u64, time: Duration) -> ExitCode {
    let (started, next, has_failed) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let failed = AtomicU64::new(u64::MAX);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while !has_failed.load(Ordering::Relaxed) && started.elapsed() < time {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= number {
                return;
            }
            let seed = from.wrapping_add(at);
            if kind.run(seed, false).violation.is_some() {
                has_failed.store(true, Ordering::Relaxed);
                failed.fetch_min(at, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let (worlds, seconds) = (next.load(Ordering::Relaxed).min(number), started.elapsed().as_secs_f64());
    let rate = worlds as f64 / seconds * 60.0;
    println!("{worlds} worlds from seed {from} in {seconds:.1} s: {rate:.0} a minute");
    match failed.load(Ordering::Relaxed) {
        u64::MAX => ExitCode::SUCCESS,
        at => {
            let seed = from.wrapping_add(at);
            tell(kind, seed);
            println!("World {seed} is number {} of this run", at + 1);
            println!("Again: tests/simulate {}{seed}", kind.argument());
            ExitCode::FAILURE
        }
    }
}
