//! Where a user is likely to slip, the compiler's message names the fix.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the compiler says of a program.
fn compiler_says(name: &str, program: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    fs::create_dir_all(folder.join("src")).expect("the target folder is writable");
    let manifest = format!(
        "[package]\nname = \"slip\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nsession-axum = {{ path = {:?} }}\n",
        workspace.join("session-axum"),
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the target folder is writable");
    // The versions that this workspace was built with, so that nothing is fetched.
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the workspace has a lock file");
    fs::write(folder.join("src/main.rs"), program).expect("the target folder is writable");
    let check = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--color=never"])
        // With what is built there for the workspace itself, as this is without debug information.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&folder)
        .output()
        .expect("cargo runs");
    let message = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(!check.status.success(), "it compiles: {program}");
    message
}

#[test]
fn slips_are_named_with_their_fix() {
    let slips = [
        (
            "a_store_that_is_none",
            "struct Redis; fn main() { session_axum::SessionLayer::new(Redis); }",
            ["neither a session store nor a `SessionManager`", "use `MemoryStore`"],
        ),
        (
            "a_builder_that_was_not_asked",
            "fn main() { let m = session_axum::SessionManager::builder(session_axum::MemoryStore::new()).build();
             session_axum::SessionLayer::new(m); }",
            ["neither a session store nor a `SessionManager`", "needs a `?` first"],
        ),
        (
            "a_setting_of_a_manager_that_is_shared",
            "fn f(shared: session_axum::SessionManager) { session_axum::SessionLayer::builder(shared).attempts(5); }
             fn main() {}",
            ["the method `attempts` exists", "`SessionManager: session_axum::Store`"],
        ),
        (
            "a_name_that_is_none",
            "fn f(s: session_axum::Session) { let _ = s.attr::<u32>(7); } fn main() {}",
            ["does not name an attribute of type `u32`", "use a `&str`, or an `AttrKey<u32>`"],
        ),
        (
            "a_value_of_another_type",
            "fn f(s: session_axum::Session) {
             let _ = s.set_attr(session_axum::AttrKey::<u32>::new(\"n\"), \"text\"); } fn main() {}",
            ["expected `&u32`, found `&str`", "set_attr"],
        ),
    ];
    for (name, program, expected) in slips {
        let message = compiler_says(name, program);
        for words in expected {
            assert!(message.contains(words), "{name}: the message does not say {words:?}:\n{message}");
        }
    }
}
