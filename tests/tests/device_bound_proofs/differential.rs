//! Two verifiers of different origin say the same: ours, and one in Python that shares no code with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use session_axum::internals::{PublicKey, refresh, registration};
use workspace_tests::{Device, is_installed, skip};

use crate::forger::{Forger, THIEF_INSIDE};

/// A line of what `peers/independent.py` reads and writes.
#[derive(Clone, Serialize, Deserialize)]
struct Line {
    value: String,
    /// That was registered, for a refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Jwk>,
    #[serde(default = "yes")]
    is_good: bool,
    #[serde(default)]
    what: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kty")]
enum Jwk {
    #[serde(rename = "EC")]
    P256 { crv: String, x: String, y: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

fn yes() -> bool {
    true
}

impl Jwk {
    fn of(device: &Device) -> Self {
        serde_json::from_str(&device.jwk()).expect("it is a key")
    }

    fn as_registered(&self) -> PublicKey {
        let stored = match self {
            Jwk::P256 { x, y, .. } => format!("ES256.{x}.{y}"),
            Jwk::Rsa { n, e } => format!("RS256.{n}.{e}"),
        };
        PublicKey::from_stored(&stored).expect("it can be registered")
    }
}

impl Line {
    fn is_good_for_us(&self) -> bool {
        match &self.key {
            None => registration(self.value.as_bytes()).is_ok(),
            Some(key) => refresh(self.value.as_bytes(), &key.as_registered()).is_ok(),
        }
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/device_bound_proofs/peers")
}

/// Proofs that Chromium made, as `peers/record_chromium.py` recorded them.
fn of_chromium() -> Vec<Line> {
    lines(&std::fs::read_to_string(peers().join("chromium.jsonl")).expect("they were recorded"))
}

fn lines(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).expect("it is a line")).collect()
}

/// What the other verifier prints. `None` where Python or its `cryptography` is missing, which is said.
fn independent(arguments: &[&str], input: &[Line]) -> Option<String> {
    let python = || Command::new("python3");
    if !is_installed("python3") {
        return None;
    }
    if !python().args(["-c", "import cryptography"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    {
        skip("Python's cryptography");
        return None;
    }
    let mut running = python()
        .arg(peers().join("independent.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut to = running.stdin.take().expect("it reads");
    let text: String = input.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    let writer = std::thread::spawn(move || to.write_all(text.as_bytes()));
    let done = running.wait_with_output().expect("it ends");
    writer.join().unwrap().expect("it reads all");
    assert!(done.status.success(), "independent.py {arguments:?}");
    Some(String::from_utf8(done.stdout).expect("it prints text"))
}

/// Both say of each line whether it is good.
fn both_say_the_same(lines: &[Line]) {
    for line in lines {
        assert_eq!(line.is_good_for_us(), line.is_good, "ours: {}: {}", line.what, line.value);
    }
    let Some(answers) = independent(&["verify"], lines) else { return };
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), lines.len());
    for (line, answer) in lines.iter().zip(answers) {
        assert_eq!(answer == "good", line.is_good, "the other: {}: {}", line.what, line.value);
    }
}

// D63
#[test]
fn what_chromium_made_is_good_for_both() {
    let lines = of_chromium();
    let count = |is_wanted: fn(&Line) -> bool| lines.iter().filter(|line| is_wanted(line)).count();
    assert!(count(|_| true) >= 200);
    assert!(count(|line| line.key.is_none()) >= 20, "registrations");
    assert!(count(|line| matches!(line.key, Some(Jwk::Rsa { .. }))) >= 50, "refreshes by RSA");
    both_say_the_same(&lines);
}

// D63, D64
#[test]
fn what_python_made_is_good_and_what_it_broke_is_bad_for_both() {
    let Some(made) = independent(&["make", "200"], &[]) else { return };
    let lines = lines(&made);
    assert_eq!([true, false].map(|wanted| lines.iter().filter(|line| line.is_good == wanted).count()), [200, 200]);
    both_say_the_same(&lines);
}

// D64
#[test]
fn what_was_forged_is_bad_for_both() {
    let mut forger = Forger::new();
    let owners: Vec<Jwk> = forger.owners().iter().map(Jwk::of).collect();
    let mut lines = Vec::new();
    for number in 0..1000 {
        let forged = forger.forge(number);
        let value = String::from_utf8(forged.value).expect("it is text");
        let what = format!("SEED={number}: {}", forged.kind);
        let is_good = forged.kind == THIEF_INSIDE;
        lines.push(Line { value: value.clone(), key: None, is_good, what: what.clone() });
        let key = Some(owners[number as usize % owners.len()].clone());
        lines.push(Line { value, key, is_good: false, what });
    }
    both_say_the_same(&lines);
}
