//! Sessions that were started by bearer tokens are kept apart from others, where an integration takes both.

use super::*;

/// How a request presents its ids.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Came {
    ByBearer,
    Otherwise,
    /// As a token, where nothing else is taken.
    ByBearerAlone,
    /// In the only way that the integration takes.
    Alone,
}

use Came::{Alone, ByBearer, ByBearerAlone, Otherwise};

fn presented(came: Came, ids: &[&SessionId]) -> PresentedIds {
    let mut presented = PresentedIds::default();
    if matches!(came, ByBearer | Otherwise) {
        presented.keep_apart();
    }
    if matches!(came, ByBearer | ByBearerAlone) {
        presented.set_by_bearer();
    }
    ids.iter().for_each(|id| presented.push(id.as_str()));
    presented
}

async fn request(sessions: &SessionManager, came: Came, ids: &[&SessionId]) -> Visit {
    let visit = sessions.visit();
    visit.open(&presented(came, ids)).await.expect("the store works");
    visit
}

async fn opens(sessions: &SessionManager, came: Came, id: &SessionId) -> bool {
    request(sessions, came, &[id]).await.session().is_some()
}

async fn started(sessions: &SessionManager, came: Came) -> SessionId {
    let visit = request(sessions, came, &[]).await;
    visit.start(NewSession::new().principal("ann")).unwrap();
    issued(answer(&visit).await)
}

async fn logout(sessions: &SessionManager, came: Came, ids: &[&SessionId]) -> Committed {
    let visit = sessions.visit();
    visit.end(&presented(came, ids));
    answer(&visit).await.expect("the store works")
}

/// Stores that wait, and stores that answer at once.
fn stores() -> [FaultyStore; 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())]
}

#[tokio::test]
async fn a_session_opens_only_as_it_was_started() {
    for store in stores() {
        let (sessions, _) = managed(store);
        for (start, opened, refused) in [
            (ByBearer, &[ByBearer, ByBearerAlone][..], &[Otherwise, Alone][..]),
            (Otherwise, &[Otherwise, Alone, ByBearerAlone], &[ByBearer]),
            (Alone, &[Otherwise, Alone, ByBearerAlone], &[ByBearer]),
            (ByBearerAlone, &[Otherwise, Alone, ByBearerAlone], &[ByBearer]),
        ] {
            let id = started(&sessions, start).await;
            for came in opened {
                assert!(opens(&sessions, *came, &id).await, "{start:?}, {came:?}");
            }
            for came in refused {
                assert!(!opens(&sessions, *came, &id).await, "{start:?}, {came:?}");
            }
            // A program without requests names the id itself.
            assert!(is_alive(&sessions, &id).await);
        }
    }
}

#[tokio::test]
async fn a_session_stays_what_it_is_when_it_is_saved_and_renewed() {
    for store in stores() {
        let (sessions, _) = managed(store);
        let id = started(&sessions, ByBearer).await;
        let visit = request(&sessions, ByBearer, &[&id]).await;
        let session = visit.session().unwrap();
        assert!(session.is_by_bearer() && visit.is_by_bearer());
        session.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await.unwrap();
        session.renew_id().unwrap();
        let renewed = issued(answer(&visit).await);
        assert!(opens(&sessions, ByBearer, &renewed).await && !opens(&sessions, Otherwise, &renewed).await);
        let other = started(&sessions, Otherwise).await;
        assert!(!request(&sessions, Otherwise, &[&other]).await.session().unwrap().is_by_bearer());
    }
}

/// What a request under way changes follows a renewal, as ever.
#[tokio::test]
async fn changes_of_a_token_follow_its_renewal_and_conflicts() {
    for store in stores() {
        let (sessions, _) = managed(store);
        let id = started(&sessions, ByBearer).await;
        let slow = request(&sessions, ByBearer, &[&id]).await;
        let other = request(&sessions, ByBearer, &[&id]).await;
        other.session().unwrap().set_attr("Other", &1).unwrap();
        answer(&other).await.unwrap();
        let renewing = request(&sessions, ByBearer, &[&id]).await;
        renewing.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&renewing).await);
        slow.session().unwrap().set_attr("Slow", &1).unwrap();
        assert_unchanged(answer(&slow).await);
        let now = request(&sessions, ByBearer, &[&renewed]).await.session().unwrap();
        assert_eq!((now.attr("Slow").unwrap(), now.attr("Other").unwrap()), (Some(1), Some(1)));
    }
}

#[tokio::test]
async fn a_logout_ends_only_what_came_in_its_way() {
    for store in stores() {
        let (sessions, _) = managed(store);
        for (start, other) in [(ByBearer, Otherwise), (Otherwise, ByBearer)] {
            let id = started(&sessions, start).await;
            assert!(matches!(logout(&sessions, other, &[&id]).await, Committed::Unchanged), "it tells nothing");
            assert!(is_alive(&sessions, &id).await, "{start:?}");
            let own = started(&sessions, other).await;
            assert!(matches!(logout(&sessions, other, &[&id, &own]).await, Committed::Forget));
            assert!(is_alive(&sessions, &id).await && !is_alive(&sessions, &own).await);
            assert!(matches!(logout(&sessions, start, &[&id]).await, Committed::Forget));
            assert!(!is_alive(&sessions, &id).await);
            assert!(matches!(logout(&sessions, start, &[&id]).await, Committed::Unchanged));
        }
    }
}

/// Also where the id that is presented leads to it by a note.
#[tokio::test]
async fn a_logout_by_a_replaced_id_ends_only_what_came_in_its_way() {
    for store in stores() {
        let (sessions, _) = managed(store);
        for (start, other) in [(ByBearer, Otherwise), (Otherwise, ByBearer)] {
            let old = started(&sessions, start).await;
            let visit = request(&sessions, start, &[&old]).await;
            visit.session().unwrap().renew_id().unwrap();
            let new = issued(answer(&visit).await);
            logout(&sessions, other, &[&old]).await;
            assert!(is_alive(&sessions, &new).await, "{start:?}");
            assert!(matches!(logout(&sessions, start, &[&old]).await, Committed::Forget));
            assert!(!is_alive(&sessions, &new).await, "{start:?}");
        }
    }
}

/// A login and a removal end what else the request presents, but nothing of the other kind.
#[tokio::test]
async fn a_login_and_a_removal_spare_what_came_in_the_wrong_way() {
    for store in stores() {
        let (sessions, _) = managed(store);
        let token = started(&sessions, ByBearer).await;
        let own = started(&sessions, Otherwise).await;
        for ids in [[&token, &own], [&own, &token]] {
            let visit = request(&sessions, Otherwise, &ids).await;
            visit.start(NewSession::new().principal("ann")).unwrap();
            let next = issued(answer(&visit).await);
            assert!(is_alive(&sessions, &token).await);
            let visit = request(&sessions, Otherwise, &[&next, &token]).await;
            visit.session().unwrap().remove();
            assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
            assert!(is_alive(&sessions, &token).await && !is_alive(&sessions, &next).await);
        }
    }
}

#[tokio::test]
async fn a_logout_that_can_not_look_is_an_error_and_can_be_repeated() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = started(&sessions, ByBearer).await;
    store.faults().fail_every(Operation::READS, Fault::Refused);
    let visit = sessions.visit();
    visit.end(&presented(ByBearer, &[&id]));
    assert!(answer(&visit).await.unwrap_err().is_store_failure());
    store.faults().recover();
    assert!(is_alive(&sessions, &id).await);
    logout(&sessions, ByBearer, &[&id]).await;
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn without_tokens_beside_others_a_logout_looks_nothing_up() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = started(&sessions, Alone).await;
    store.faults().forget_calls();
    logout(&sessions, Alone, &[&id]).await;
    assert_eq!(store.faults().calls(Operation::Load), 0);
}

/// The way is the integration's own number.
#[tokio::test]
async fn a_visit_tells_the_way_that_was_noted() {
    let sessions = sessions();
    let mut presented = PresentedIds::default();
    presented.set_way(7);
    assert_eq!(presented.way(), 7);
    let (opened, ended) = (sessions.visit(), sessions.visit());
    assert_eq!(opened.way(), 0);
    opened.open(&presented).await.unwrap();
    ended.end(&presented);
    assert_eq!((opened.way(), ended.way()), (7, 7));
}
