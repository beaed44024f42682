//! Files and rooms import in one direction. `tests/run layers` proves that of the crates too.

mod circles;
mod imports;
mod made_up;
mod rules;
mod source;
mod tree;

use std::fs;
use std::path::Path;

use rules::{Rules, complaints};
use tree::Tree;

const SESSION_CORE: Rules = Rules {
    root: "session-core/src/lib.rs",
    order: &[&["manager"], &["session"], &["visit"], &["event", "store"], &["record"]],
    imports_name_the_owner: true,
};
const SESSION_AXUM: Rules = Rules { root: "session-axum/src/lib.rs", order: &[], imports_name_the_owner: true };
const SESSION_STORES: Rules = Rules { root: "session-stores/src/lib.rs", order: &[], imports_name_the_owner: true };
const DEMO_APP: Rules = Rules { root: "demo-app/src/main.rs", order: &[], imports_name_the_owner: true };
const TESTS: Rules = Rules { root: "tests/src/lib.rs", order: &[], imports_name_the_owner: true };

#[track_caller]
fn check(rules: &Rules) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(rules.root);
    let (folder, file) = (root.parent().unwrap(), root.file_name().unwrap().to_str().unwrap());
    let tree = Tree::read(file, &|file| fs::read_to_string(folder.join(file)).ok());
    let complaints = complaints(&tree, rules);
    assert!(complaints.is_empty(), "{}:\n\n{}\n", rules.root, complaints.join("\n"));
}

#[test]
fn session_core() {
    check(&SESSION_CORE);
}

#[test]
fn session_axum() {
    check(&SESSION_AXUM);
}

#[test]
fn session_stores() {
    check(&SESSION_STORES);
}

#[test]
fn demo_app() {
    check(&DEMO_APP);
}

#[test]
fn examples() {
    for root in [
        "examples/htmx/src/main.rs",
        "examples/login/src/main.rs",
        "examples/openid/src/main.rs",
        "examples/spa/src/main.rs",
        "examples/two-processes/src/main.rs",
        "examples/without-http/src/main.rs",
    ] {
        check(&Rules { root, order: &[], imports_name_the_owner: true });
    }
}

#[test]
fn tests() {
    check(&TESTS);
}
