use axum::Router;
use axum::http::{Method, StatusCode};
use workspace_tests::Device;

use super::super::application::{BOUND, LIFETIME, MINUTE, SESSION};
use super::super::software_browser::{Offer, SoftwareBrowser};
use super::{SharedStore, Site};

/// D34, bar 6: registered at one, refreshed at the other, at once.
pub async fn go_on_with_what_another_has_bound(store: &SharedStore) {
    let site = Site::on(store).await;
    for round in 0..10 {
        bind_between(&site, round % 2, 1 - round % 2).await;
    }
}

async fn bind_between(site: &Site, one: usize, other: usize) {
    let [one, other] = [one, other].map(|process| &site.processes[process]);
    let mut owner = site.browser();
    owner.moved_to(one);
    let offer = Offer::of(&owner.send(Method::POST, "/login", &[]).await).expect("a login offers it");
    // The other one has read the session before there is a key.
    owner.moved_to(other);
    assert_eq!(owner.get("/bound").await.body, "false");
    owner.moved_to(one);
    assert_eq!(owner.register(&offer, Device::p256()).await.status, StatusCode::OK);
    owner.moved_to(other);
    assert_eq!(owner.refresh().await.unwrap().status, StatusCode::OK);
    let refresh = owner.shown.last().unwrap().clone();

    // The first proofs come to both at once, and both refresh at once.
    let [mut here, mut there] = [one, other].map(|process| window(&owner, process));
    let (first, second) = tokio::join!(here.get("/bound"), there.get("/bound"));
    assert!(first.body == "true" && second.body == "true", "{first:?} {second:?}");
    let (first, second) = tokio::join!(here.send_again(refresh.clone()), there.send_again(refresh));
    assert_eq!([first.status, second.status], [StatusCode::OK; 2]);

    site.clock.advance(MINUTE);
    for process in [one, other] {
        let mut without = window(&owner, process);
        without.set_cookie(BOUND, "");
        assert_eq!(without.get("/user").await.body, "nobody");
    }
    renewed_at_one(&mut owner, one, other).await;

    site.clock.advance(LIFETIME);
    owner.moved_to(other);
    assert_eq!(owner.get("/bound").await.body, "true");
    owner.moved_to(one);
    owner.send(Method::POST, "/logout", &[]).await;
    owner.moved_to(other);
    assert!(owner.binding.is_some() && owner.get("/user").await.body == "nobody");
    assert!(owner.binding.is_none(), "its refresh has ended the binding");
}

/// The other process follows the old id at once, and knows the new one.
async fn renewed_at_one(owner: &mut SoftwareBrowser, one: &Router, other: &Router) {
    let old = owner.cookie(SESSION).unwrap().to_owned();
    owner.moved_to(one);
    assert_eq!(owner.post("/renew").await.status, StatusCode::OK);
    let new = owner.cookie(SESSION).unwrap().to_owned();
    owner.moved_to(other);
    for id in [&old, &new] {
        owner.set_cookie(SESSION, id);
        assert_eq!(owner.refresh().await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(owner.get("/bound").await.body, "true");
}

fn window(owner: &SoftwareBrowser, process: &Router) -> SoftwareBrowser {
    let mut window = owner.stolen();
    window.moved_to(process);
    window
}
