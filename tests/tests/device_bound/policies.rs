//! Who is asked, what is only reported, what is out of scope, and what observers are told.

use std::sync::Arc;

use axum::http::Method;
use parking_lot::Mutex;
use session_axum::{DeviceBound, DeviceRefusal, Event};
use workspace_tests::Device;

use super::application::{Application, BOUND, LIFETIME, MINUTE};
use super::software_browser::Offer;

/// D35
#[tokio::test]
async fn only_who_is_to_be_asked_is_asked() {
    let is_asked = async |user: &'static str| {
        let device_bound = DeviceBound::new().ask_if(move |sess| sess.principal().as_deref() == Some(user));
        Offer::of(&Application::with(device_bound, |builder| builder).browser().post("/login").await).is_some()
    };
    assert!(is_asked("ann").await && !is_asked("admin").await);
}

/// D36
#[tokio::test]
async fn paths_out_of_scope_need_no_proof() {
    let app = Application::with(DeviceBound::new().out_of_scope(["/assets"]), |builder| builder);
    let mut browser = app.bound().await;
    app.clock.advance(LIFETIME);
    browser.sent.clear();
    assert_eq!(browser.get("/assets/logo").await.body, "logo");
    assert_eq!(browser.sent.len(), 1, "it is not held up");
    browser.get("/").await;
    assert!(browser.sent.len() > 2);
}

/// D37: a layer that only reports refuses nothing, and each session is enforced from its next proof on afterwards.
#[tokio::test]
async fn a_layer_that_only_reports_refuses_nothing() {
    let app = Application::with(DeviceBound::new().only_report(), |builder| builder);
    let mut browser = app.browser();
    browser.post("/login").await;
    assert_eq!(browser.get("/bound").await.body, "false");
    let mut without = browser.stolen();
    without.set_cookie(BOUND, "");
    app.clock.advance(MINUTE);
    assert_eq!(without.get("/user").await.body, "ann");
    assert_eq!(app.layer.manager().counters().device_refused, 1);
    // A program that knows nothing of devices still opens it.
    let id = browser.cookie(super::application::SESSION).unwrap().to_owned();
    assert!(app.layer.manager().get(&id).await.unwrap().is_some());

    let enforcing = app.process(DeviceBound::new(), &app.clock);
    without.moved_to(&enforcing);
    assert_eq!(without.get("/user").await.body, "ann", "no proof has come yet");
    browser.moved_to(&enforcing);
    assert_eq!(browser.get("/bound").await.body, "true");
    assert_eq!(without.get("/user").await.body, "nobody");
    assert!(app.layer.manager().get(&id).await.unwrap().is_none());
}

/// D38
#[tokio::test]
async fn observers_are_told_of_registrations_refusals_and_skips() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let app = Application::with(DeviceBound::new().skip_grace(MINUTE), |builder| {
        builder.observer(move |event: Event<'_>| {
            telling.lock().push(match event {
                Event::DeviceRegistered { principal, .. } => format!("registered {principal:?}"),
                Event::DeviceRefused { principal, reason, only_reported, .. } => {
                    format!("refused {principal:?} {reason:?} {only_reported}")
                }
                Event::DeviceSkipped { principal, .. } => format!("skipped {principal:?}"),
                _ => return,
            });
        })
    });
    let mut browser = app.browser();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    let mut thief = browser.stolen();
    browser.register(&offer, Device::p256()).await;
    browser.get("/").await;
    app.clock.advance(MINUTE);
    thief.register(&offer, Device::p256()).await;
    thief.register(&Offer { challenge: "junk".to_owned(), ..offer }, Device::p256()).await;
    let proof = format!("\"{}\"", Device::p256().refresh("junk"));
    thief.send(Method::POST, "/dbsc/sessid/refresh", &[("secure-session-response", &proof)]).await;
    thief.get("/user").await;
    thief.send(Method::GET, "/user", &[("secure-session-skipped", "server_error")]).await;
    let ann = "Some(\"ann\")";
    let refused =
        [DeviceRefusal::OtherKey, DeviceRefusal::BadRegistration, DeviceRefusal::BadProof, DeviceRefusal::NoProof];
    let refused = refused.map(|reason| format!("refused {ann} {reason:?} false"));
    let expected = [vec![format!("registered {ann}")], refused.to_vec(), vec![format!("skipped {ann}")]].concat();
    assert_eq!(*told.lock(), expected);
    let counters = app.layer.manager().counters();
    assert_eq!((counters.device_registered, counters.device_refused, counters.device_skipped), (1, 4, 1));
}
