//! F10, G9: the simulator itself: a world is the same at every run, and worlds of the code as it is are in order.

use std::process::Command;

use simulator::{Ended, device, run};

/// The story of a world, line by line.
fn story(seed: u64) -> Vec<String> {
    run(seed, true).story.iter().map(ToString::to_string).collect()
}

#[test]
fn one_seed_is_one_world() {
    for seed in 0..40 {
        let first = story(seed);
        assert!(!first.is_empty());
        assert_eq!(first, story(seed), "world {seed}");
    }
}

#[test]
fn one_seed_is_one_world_in_every_process() {
    let tell = || {
        let told = Command::new(env!("CARGO_BIN_EXE_simulate")).args((0..40).map(|seed| seed.to_string())).output();
        String::from_utf8(told.expect("the program runs").stdout).expect("it tells text")
    };
    assert_eq!(tell(), tell());
}

#[test]
fn another_seed_is_another_world() {
    assert_ne!(story(1), story(2));
}

#[test]
fn a_world_is_the_same_whether_its_story_is_told_or_not() {
    for seed in 0..40 {
        let (told, untold) = (run(seed, true), run(seed, false));
        assert!(untold.story.is_empty());
        assert_eq!(told.requests, untold.requests, "world {seed}");
    }
}

#[test]
fn worlds_are_in_order() {
    for seed in 0..200 {
        let Ended { violation, .. } = run(seed, false);
        if let Some(violation) = violation {
            panic!("{}; tell the story with: tests/simulate {seed}", violation.what);
        }
    }
}

/// D67
#[test]
fn one_seed_is_one_world_of_devices() {
    // Keys differ from run to run, and so do the stamps that a story names.
    let times = |seed| device::run(seed, true).story.iter().map(|line| line.to_string()[..12].to_owned()).collect();
    for seed in 0..40 {
        let first: Vec<String> = times(seed);
        assert!(!first.is_empty());
        assert_eq!(first, times(seed), "world {seed}");
        let (told, untold) = (device::run(seed, true), device::run(seed, false));
        assert_eq!(told.requests, untold.requests, "world {seed}");
    }
}

/// D67
#[test]
fn worlds_of_devices_are_in_order() {
    for seed in 0..100 {
        let Ended { violation, .. } = device::run(seed, false);
        if let Some(violation) = violation {
            panic!("{}; tell the story with: tests/simulate --devices {seed}", violation.what);
        }
    }
}
