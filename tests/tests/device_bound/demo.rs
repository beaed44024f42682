//! The demo with `--https --device-bound`, in Chromium.

use serde_json::Value;
use workspace_tests::{Chromium, Demo};

use super::application::BOUND;

/// Sends the form of the page, which runs no scripts of its own.
const LOG_IN: &str = "document.querySelector('[name=UserName]').value = 'ann';
    document.querySelector('[name=Password]').value = 'a'; document.querySelector('[name=Login]').click()";

/// Bar 1: in each of the ways that the demo has to sign in and out.
#[test]
fn the_demo_binds_a_login_and_a_logout_ends_it() {
    let demo = Demo::start(&["--https", "--device-bound"]);
    let Some(mut chromium) = Chromium::start(&demo.key_fingerprint()) else { return };
    let page = demo.https_url().replace("127.0.0.1", "demo.test");
    let command = format!(
        "chromium --user-data-dir=$(mktemp -d) \
         --enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting \
         --ignore-certificate-errors-spki-list={} --host-resolver-rules='MAP demo.test 127.0.0.1' {page}",
        demo.key_fingerprint()
    );
    assert!(demo.printed().lines().any(|line| line == command), "{}", demo.printed());
    let registered = |event: &Value| event["creationEventDetails"]["fetchResult"] == "Success";
    let ended = |event: &Value| event["terminationEventDetails"]["deletionReason"] == "ServerRequested";
    chromium.open(&page);
    let buttons = [("", "button[name=Logout]"), ("/devices", "form.account button")];
    for (round, (path, button)) in buttons.into_iter().enumerate() {
        chromium.run(LOG_IN);
        chromium.wait_for("the registration", |chromium| {
            chromium.bindings().iter().filter(|event| registered(event)).count() > round
        });
        // The list shows what is stored, and the first proof is stored after its page.
        chromium.open(&format!("{page}/devices"));
        for _ in 0..3 {
            chromium.open(&format!("{page}/devices"));
            assert!(chromium.text().contains("Bound to its device"), "{}", chromium.text());
            chromium.drop_cookie(BOUND, &page);
        }
        chromium.open(&format!("{page}{path}"));
        chromium.run(&format!("document.querySelector('{button}').click()"));
        chromium.wait_for("the logout", |chromium| chromium.cookies(&page).is_empty());
        chromium.open(&page);
        let endings = chromium.bindings().iter().filter(|event| ended(event)).count();
        assert_eq!(endings, round + 1, "{:#?}", chromium.bindings());
    }
}
