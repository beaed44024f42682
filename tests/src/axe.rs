use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::browser::Browser;
use crate::demo::workspace;
use crate::server_process::skip;

/// The accessibility checker axe-core, as `tests/run` installs it from npm.
pub struct Axe {
    script: String,
}

impl Axe {
    /// `None` where it is not installed, which is said aloud, and in CI is a failure.
    #[track_caller]
    pub fn load() -> Option<Axe> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        let script = fs::read_to_string(target.join("tools/axe/node_modules/axe-core/axe.min.js"));
        if script.is_err() {
            skip("axe-core (`tests/run accessibility_checker`)");
        }
        Some(Axe { script: script.ok()? })
    }

    /// What is wrong with the page that a browser shows, a line for each element. Each rule is asked, also those that are
    /// no more than best practice.
    pub async fn violations(&self, browser: &Browser) -> Vec<String> {
        browser.evaluate(&format!("(() => {{ {}; return true }})()", self.script)).await;
        let found = browser.evaluate_in_time("axe.run().then(arguments[arguments.length - 1])").await;
        assert!(found["passes"].as_array().is_some_and(|passes| passes.len() > 10), "it looked at the page: {found}");
        let violations = found["violations"].as_array().expect("a list");
        violations.iter().flat_map(lines).collect()
    }
}

fn lines(violation: &Value) -> Vec<String> {
    let nodes = violation["nodes"].as_array().expect("a list");
    nodes.iter().map(|node| format!("{}: {} {}", violation["id"], violation["help"], node["html"])).collect()
}
