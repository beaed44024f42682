use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use workspace_tests::client::Answer;

use super::super::application::{LIFETIME, SECOND};
use super::super::software_browser::SoftwareBrowser;
use super::{SharedStore, Site};

/// What a thief comes with.
struct Stolen {
    /// Each kind of request that the owner has sent, bit by bit.
    requests: Vec<Request<String>>,
    refresh: Request<String>,
}

/// D4, D28, bar 2: each request of the owner, sent again by another client, at either process, as it was and with the
/// latest cookies that a captured refresh was worth.
pub async fn of_everything_is_refused_after_the_window(store: &SharedStore) {
    let site = Site::on(store).await;
    let mut owner = site.bound().await;
    let Stolen { requests, refresh } = steal(&mut owner).await;
    let copied = owner.stolen();
    let mut thief = copied.stolen();
    for request in &requests {
        assert!(!is_refused(&thief.send_again(request.clone()).await), "the window is documented: {request:?}");
    }

    site.clock.advance(LIFETIME + 59 * SECOND);
    assert_eq!(thief.send_again(refresh.clone()).await.status, StatusCode::OK, "the last moment of its challenge");
    let latest = thief.stolen();
    site.clock.advance(SECOND);
    for round in 0..100 {
        let mut thief = at(&site, round, &copied);
        assert!(is_refused(&thief.get("/user").await) && is_refused(&thief.send_again(refresh.clone()).await));
        goes_on(&site, round, &mut owner).await;
    }
    site.clock.advance(LIFETIME + 58 * SECOND);
    assert!(!is_refused(&at(&site, 0, &latest).get("/user").await), "the last moment of its latest cookie");

    site.clock.advance(2 * SECOND);
    owner.refresh().await;
    assert_eq!(owner.send_text(Method::POST, "/note", &[], "the owner's last").await.status, StatusCode::OK);
    for round in 0..100 {
        for request in &requests {
            let mut thief = at(&site, round, &latest);
            let mut with_latest = request.clone();
            let cookies = HeaderValue::try_from(latest.cookie_header().unwrap()).unwrap();
            with_latest.headers_mut().insert(header::COOKIE, cookies);
            for request in [request.clone(), with_latest] {
                let answer = thief.send_again(request.clone()).await;
                assert!(is_refused(&answer), "round {round}: {request:?} is answered {answer:?}");
            }
        }
        goes_on(&site, round, &mut owner).await;
    }
    assert_eq!(owner.get("/note").await.body, "the owner's last");
    assert_eq!(owner.get("/bound").await.body, "true");
}

/// One request of each kind that a signed-in browser sends, after its login.
async fn steal(owner: &mut SoftwareBrowser) -> Stolen {
    let registration = owner.shown.iter().find(|request| request.uri().path().ends_with("/register")).unwrap().clone();
    // The challenge of the next refresh is then of this moment, and so its proof is worth the whole window.
    owner.refresh().await;
    owner.shown.clear();
    owner.refresh().await;
    let refresh = owner.shown[0].clone();
    assert!(refresh.headers().contains_key("secure-session-response"));
    let skipped = [("secure-session-skipped", "unreachable;session_identifier=\"__Host-sessid@app.test\"")];
    let elsewhere = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    owner.send(Method::GET, "/user", &[]).await;
    owner.send(Method::GET, "/", &elsewhere).await;
    owner.send(Method::GET, "/user", &skipped).await;
    owner.send_text(Method::POST, "/note", &[("content-type", "text/plain")], "what the owner wrote").await;
    let requests = [vec![registration], owner.shown.clone()].concat();
    Stolen { requests, refresh }
}

/// A fresh client with these cookies, at one process or the other.
fn at(site: &Site, round: usize, jar: &SoftwareBrowser) -> SoftwareBrowser {
    let mut thief = jar.stolen();
    thief.moved_to(&site.processes[round % 2]);
    thief
}

async fn goes_on(site: &Site, round: usize, owner: &mut SoftwareBrowser) {
    owner.moved_to(&site.processes[round / 2 % 2]);
    assert_eq!(owner.get("/user").await.body, "ann", "round {round}");
}

/// Neither anything of the session nor a cookie: all that a request is answered that is let in names the user.
fn is_refused(answer: &Answer) -> bool {
    !answer.body.contains("ann") && answer.set_cookies().is_empty()
}
