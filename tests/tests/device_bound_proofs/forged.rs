//! Forged proofs: a seed makes them, and nobody accepts one.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::Duration;

use allocation_counter::AllocationInfo;
use rustix::time::{ClockId, clock_gettime};
use session_axum::internals::{BadProof, Registration, refresh, registration};

use crate::forger::{Forged, Forger, THIEF_INSIDE};

/// The longest that one may take, where the code is optimized.
const LONGEST: Duration = Duration::from_millis(5);

/// How often one is measured again that seems to take longer than all before.
const REPEATS: usize = 5;

/// What verifying may hold at once: this, and four times the size of what came.
const MOST_BYTES: i64 = 1024;

/// What the forgeries cost.
#[derive(Default)]
struct Costs {
    longest: (Duration, &'static str),
    /// The most bytes that were held at once beyond four times the size of what came.
    most: (i64, &'static str),
    refused: BTreeMap<String, u64>,
    kinds: BTreeSet<&'static str>,
}

// D60, D61, D62
#[test]
fn no_forged_proof_is_accepted_nor_costs_much() {
    let number = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("it is a number"));
    let rounds = number("CAMPAIGN").unwrap_or(4000);
    let seed = number("SEED").unwrap_or(1);
    let mut forger = Forger::new();
    let mut costs = Costs::default();
    for number in seed..seed + rounds {
        let forged = forger.forge(number);
        check(&forger, &forged, number, &mut costs);
    }
    let (longest, most) = (costs.longest, costs.most);
    eprintln!("{rounds} forgeries from SEED={seed}, each judged {} times", forger.keys_of_owners().len() + 1);
    eprintln!("at most {:?} of processor time ({})", longest.0, longest.1);
    eprintln!("the most memory beyond four times its own size: {} bytes ({})", most.0, most.1);
    eprintln!("refused because of: {:#?}", costs.refused);
    if rounds >= 1000 {
        assert_eq!(costs.kinds.len(), forger.kinds().len(), "each kind was made");
    }
    assert!(cfg!(debug_assertions) || longest.0 <= LONGEST, "{longest:?}");
    assert!(most.0 <= MOST_BYTES, "{most:?}");
}

fn check(forger: &Forger, forged: &Forged, number: u64, costs: &mut Costs) {
    costs.kinds.insert(forged.kind);
    let what = || format!("SEED={number}: {}: {}", forged.kind, String::from_utf8_lossy(&forged.value));
    for key in forger.keys_of_owners() {
        match costs.of(forged, || refresh(&forged.value, key)) {
            Ok(_) => panic!("accepted as a refresh: {}", what()),
            Err(reason) => costs.refuse(reason),
        }
    }
    match costs.of(forged, || registration(&forged.value)) {
        Ok(Registration { key, .. }) => {
            assert_eq!(forged.kind, THIEF_INSIDE, "accepted as a registration: {}", what());
            assert!(!forger.keys_of_owners().contains(&key), "registered an owner's key: {}", what());
        }
        Err(reason) => {
            assert_ne!(forged.kind, THIEF_INSIDE, "whoever has a key can register it: {reason}: {}", what());
            costs.refuse(reason);
        }
    }
}

impl Costs {
    fn of<T>(&mut self, forged: &Forged, verify: impl Fn() -> T) -> T {
        let (mut result, mut took) = (None, Duration::MAX);
        let AllocationInfo { bytes_max, .. } = allocation_counter::measure(|| {
            let started = processor_time();
            result = Some(verify());
            took = processor_time().saturating_sub(started);
        });
        let beyond = bytes_max as i64 - 4 * forged.value.len() as i64;
        self.most = self.most.max((beyond, forged.kind));
        // What the machine does meanwhile counts too. A proof that takes long does so each time.
        for _ in 0..REPEATS {
            if took <= self.longest.0 {
                break;
            }
            let started = processor_time();
            drop(verify());
            took = took.min(processor_time().saturating_sub(started));
        }
        self.longest = self.longest.max((took, forged.kind));
        result.expect("it was called")
    }

    fn refuse(&mut self, reason: BadProof) {
        *self.refused.entry(format!("{reason:?}")).or_default() += 1;
    }
}

/// For how long this thread has been running, however busy the machine is.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
