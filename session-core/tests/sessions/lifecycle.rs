use serde_json::json;

use super::random_source::Repeating;
use super::*;

/// R30.
#[tokio::test]
async fn a_request_that_starts_nothing_stores_nothing() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let unknown = created(&self::sessions(), NewSession::new()).await.id();
    let visit = request(&sessions, &unknown).await;
    assert!(visit.session().is_none());
    assert_unchanged(answer(&visit).await);
    assert_unchanged(answer(&sessions.visit()).await);
    assert!(store.is_empty());
}

#[tokio::test]
async fn a_started_session_is_stored_when_the_handler_has_returned() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let visit = sessions.visit();
    let session = visit.start(NewSession::new().principal("ann").attr("Count", &1)).unwrap();
    assert!(session.is_new());
    assert!(store.is_empty());
    session.set_attr("Color", "red").unwrap();
    let id = issued(answer(&visit).await);
    assert_eq!(id, session.id());
    assert!(!session.is_new());
    let again = found(&sessions, &id).await.unwrap();
    assert_eq!(json!(again.attrs()), json!({"Color": "red", "Count": 1}));
    assert_eq!(again.principal().as_deref(), Some("ann"));
    assert!(!again.is_new());
}

#[tokio::test]
async fn reading_and_setting_tell_the_client_nothing() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    assert_unchanged(answer(&request(&sessions, &id).await).await);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "red").unwrap();
    assert_unchanged(answer(&visit).await);
}

/// R4.
#[tokio::test]
async fn an_unknown_id_is_not_adopted() {
    let sessions = sessions();
    let forged = created(&self::sessions(), NewSession::new()).await.id();
    let visit = request(&sessions, &forged).await;
    let started = visit.start(NewSession::new()).unwrap();
    assert_ne!(started.id(), forged);
    assert_ne!(issued(answer(&visit).await), forged);
    assert!(!is_alive(&sessions, &forged).await);
}

#[tokio::test]
async fn a_removed_session_is_gone_and_the_client_is_told() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.remove();
    assert!(visit.session().is_none());
    assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn nothing_is_written_after_remove() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr("Color", "red")).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.remove();
    assert_gone(session.set_attr("Color", "blue"));
    assert_gone(session.remove_attr("Color"));
    assert_gone(session.take_attr::<String>("Color"));
    assert_gone(session.renew_id());
    assert_gone(session.set_persistent(true));
    assert_gone(session.save().await);
    assert_gone(session.update_attr("Color", |_: Option<String>| "blue".to_owned()).await);
    // Until the end of the request it may still be read: the handler says good-bye by name.
    assert_eq!(session.attr::<String>("Color").unwrap().as_deref(), Some("red"));
    assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
}

#[tokio::test]
async fn start_after_remove_gives_a_new_id() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr("Old", &1)).await.id();
    let visit = request(&sessions, &id).await;
    let old = visit.session().unwrap();
    old.remove();
    let new = visit.start(NewSession::new().attr("New", &1)).unwrap();
    assert_gone(old.set_attr("Color", "blue"));
    let new_id = issued(answer(&visit).await);
    assert_eq!(new_id, new.id());
    assert_ne!(new_id, id);
    assert!(!is_alive(&sessions, &id).await);
    assert_eq!(json!(found(&sessions, &new_id).await.unwrap().attrs()), json!({"New": 1}));
}

/// R6.
#[tokio::test]
async fn a_login_replaces_an_anonymous_session_and_keeps_its_cart() {
    let (sessions, clock) = managed(MemoryStore::new());
    let id = created(&sessions, NewSession::new().constant("Guest", &7).attr("Lang", "de")).await.id();
    clock.advance(MINUTE);
    let visit = request(&sessions, &id).await;
    let anonymous = visit.session().unwrap();
    anonymous.set_attr("Cart", &[1, 2]).unwrap();
    let new = NewSession::new().principal("ann").attr("Lang", "en").keep(&anonymous);
    let signed_in = visit.start(new).unwrap();
    signed_in.set_attr("Greeted", &true).unwrap();
    let new_id = issued(answer(&visit).await);
    assert!(!is_alive(&sessions, &id).await);
    let session = found(&sessions, &new_id).await.unwrap();
    assert_eq!(json!(session.attrs()), json!({"Cart": [1, 2], "Greeted": true, "Lang": "en"}));
    assert!(session.constants().is_empty());
    assert_eq!(session.created(), sessions.now());
    assert_eq!(sessions.counters().renewed, 1);
}

#[tokio::test]
async fn a_replaced_handle_tells_of_its_own_session_and_not_of_the_new_one() {
    let sessions = sessions();
    let guest = created(&sessions, NewSession::new().principal("guest").attr("Cart", &[1])).await;
    let visit = request(&sessions, &guest.id()).await;
    let old = visit.session().unwrap();
    visit.start(NewSession::new().principal("ann").attr("Secret", &1)).unwrap();
    assert_eq!((old.id(), old.handle()), (guest.id(), guest.handle()));
    assert_eq!(old.principal().as_deref(), Some("guest"));
    assert!(!old.is_new());
    assert_gone(old.attr::<u32>("Secret"));
    assert!(old.attrs().is_empty());
    old.remove();
    let id = issued(answer(&visit).await);
    assert!(old.attrs().is_empty());
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn a_login_goes_on_without_the_cart_of_a_session_that_ended_meanwhile() {
    let sessions = sessions();
    let anonymous = created(&sessions, NewSession::new().attr("Cart", &[1])).await;
    let visit = request(&sessions, &anonymous.id()).await;
    let handle = visit.session().unwrap();
    visit.start(NewSession::new().principal("ann").attr("Count", &1).keep(&handle)).unwrap();
    sessions.end(&anonymous.handle()).await.unwrap();
    let id = issued(answer(&visit).await);
    assert!(!is_alive(&sessions, &anonymous.id()).await);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Count": 1}));
}

#[tokio::test]
async fn a_login_goes_on_over_a_session_that_changed_meanwhile() {
    let sessions = sessions();
    let anonymous = created(&sessions, NewSession::new()).await;
    let visit = request(&sessions, &anonymous.id()).await;
    visit.start(NewSession::new().principal("ann")).unwrap();
    anonymous.set_attr("Cart", &[1]).unwrap();
    anonymous.save().await.unwrap();
    let id = issued(answer(&visit).await);
    assert!(!is_alive(&sessions, &anonymous.id()).await);
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn of_several_starts_in_one_request_the_last_counts() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let visit = sessions.visit();
    let first = visit.start(NewSession::new()).unwrap();
    let second = visit.start(NewSession::new()).unwrap();
    assert_gone(first.set_attr("Color", "red"));
    assert_eq!(issued(answer(&visit).await), second.id());
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn renewing_and_writing_in_either_order_keep_both() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr("Old", &1)).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Before", &1).unwrap();
    session.renew_id().unwrap();
    session.set_attr("After", &1).unwrap();
    assert_eq!(session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.unwrap(), 1);
    // Until the handler has returned the old id works, with what was saved at once.
    assert!(is_alive(&sessions, &id).await);
    let new_id = issued(answer(&visit).await);
    assert_eq!(new_id, session.id());
    assert!(!is_alive(&sessions, &id).await);
    let all = json!({"After": 1, "Before": 1, "Count": 1, "Old": 1});
    assert_eq!(json!(found(&sessions, &new_id).await.unwrap().attrs()), all);
}

#[tokio::test]
async fn renewing_twice_in_one_request_stores_the_last_id_only() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.renew_id().unwrap();
    let between = session.id();
    session.renew_id().unwrap();
    let last = issued(answer(&visit).await);
    assert_eq!(store.len(), 1);
    assert!(!is_alive(&sessions, &id).await && !is_alive(&sessions, &between).await);
    assert!(is_alive(&sessions, &last).await);
}

/// B27.
#[tokio::test]
async fn a_session_just_started_needs_no_renewal() {
    let sessions = sessions();
    let visit = sessions.visit();
    let session = visit.start(NewSession::new()).unwrap();
    let id = session.id();
    session.renew_id().unwrap();
    assert_eq!(session.id(), id);
    assert_eq!(issued(answer(&visit).await), id);
}

#[tokio::test]
async fn of_two_renewals_at_once_one_counts_and_the_other_is_silent() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new().attr("Color", "red")).await.id();
    let (first, second) = (request(&sessions, &id).await, request(&sessions, &id).await);
    first.session().unwrap().renew_id().unwrap();
    second.session().unwrap().renew_id().unwrap();
    let new_id = issued(answer(&first).await);
    assert_unchanged(answer(&second).await);
    assert_eq!(store.len(), 1);
    assert_eq!(json!(found(&sessions, &new_id).await.unwrap().attrs()), json!({"Color": "red"}));
}

#[tokio::test]
async fn a_renewal_takes_over_what_another_request_saved_meanwhile() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let (renewing, saving) = (request(&sessions, &id).await, request(&sessions, &id).await);
    renewing.session().unwrap().renew_id().unwrap();
    saving.session().unwrap().set_attr("Saved", &1).unwrap();
    assert_unchanged(answer(&saving).await);
    let new_id = issued(answer(&renewing).await);
    assert_eq!(json!(found(&sessions, &new_id).await.unwrap().attrs()), json!({"Saved": 1}));
}

/// A1, R8, CVE-2025-46336, CVE-2025-32441.
#[tokio::test]
async fn a_slow_request_does_not_bring_back_what_a_logout_ended() {
    type Handler = fn(&Session);
    let handlers: [Handler; 4] = [
        |_| {},
        |session| session.set_attr("Color", "blue").unwrap(),
        |session| session.renew_id().unwrap(),
        |session| session.remove(),
    ];
    for (at, handler) in handlers.into_iter().enumerate() {
        let store = MemoryStore::new();
        let (sessions, clock) = managed(store.clone());
        let logged_in = created(&sessions, NewSession::new()).await;
        clock.advance(2 * MINUTE);
        let slow = request(&sessions, &logged_in.id()).await;
        sessions.end(&logged_in.handle()).await.unwrap();
        handler(&slow.session().unwrap());
        let told = answer(&slow).await.unwrap();
        assert!(!matches!(told, Committed::Issue(_)), "handler {at}");
        assert!(store.is_empty(), "handler {at}");
    }
}

#[tokio::test]
async fn update_attr_of_a_session_that_ended_is_gone() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let visit = request(&sessions, &session.id()).await;
    sessions.end(&session.handle()).await.unwrap();
    let handle = visit.session().unwrap();
    assert_gone(handle.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await);
    assert_gone(handle.set_attr("Color", "blue"));
    assert!(visit.session().is_none());
    // A login in the same request still works.
    visit.start(NewSession::new().principal("ann")).unwrap();
    let id = issued(answer(&visit).await);
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn discard_drops_changes() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr("Color", "red")).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Color", "blue").unwrap();
    session.set_persistent(true).unwrap();
    session.discard();
    assert_eq!(session.attr::<String>("Color").unwrap().as_deref(), Some("red"));
    session.set_attr("Shape", "round").unwrap();
    assert_unchanged(answer(&visit).await);
    let attrs = found(&sessions, &id).await.unwrap().attrs();
    assert_eq!(json!(attrs), json!({"Color": "red", "Shape": "round"}));
}

#[tokio::test]
async fn discard_drops_a_renewal_and_a_removal() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    for prepare in [|session: &Session| session.renew_id().unwrap(), |session: &Session| session.remove()] {
        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        prepare(&session);
        session.discard();
        assert_eq!(visit.session().unwrap().id(), id);
        assert_unchanged(answer(&visit).await);
        assert!(is_alive(&sessions, &id).await);
    }
}

#[tokio::test]
async fn discard_drops_a_start() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let visit = sessions.visit();
    let session = visit.start(NewSession::new()).unwrap();
    session.discard();
    assert!(visit.session().is_none());
    assert_gone(session.set_attr("Color", "red"));
    assert_unchanged(answer(&visit).await);
    assert!(store.is_empty());
}

#[tokio::test]
async fn after_a_discarded_start_the_session_before_it_goes_on() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let before = visit.session().unwrap();
    let started = visit.start(NewSession::new()).unwrap();
    started.discard();
    assert_gone(started.set_attr("Color", "blue"));
    before.set_attr("Color", "red").unwrap();
    assert_unchanged(answer(&visit).await);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Color": "red"}));
}

#[tokio::test]
async fn an_abandoned_visit_changes_nothing() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new().attr("Color", "red")).await.id();
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "blue").unwrap();
    visit.session().unwrap().renew_id().unwrap();
    visit.abandon();
    assert_unchanged(answer(&visit).await);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Color": "red"}));
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn after_the_response_head_nothing_is_started_or_renewed() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    assert_unchanged(answer(&visit).await);
    assert!(matches!(visit.start(NewSession::new()), Err(Error::HeadSent("started"))));
    assert!(matches!(visit.session().unwrap().renew_id(), Err(Error::HeadSent("renewed"))));
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn after_the_response_head_a_stream_saves_and_removes() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    assert_unchanged(answer(&visit).await);
    session.set_attr("Streamed", &1).unwrap();
    session.save().await.unwrap();
    assert_eq!(session.update_attr("Streamed", |n: Option<u32>| n.unwrap_or(0) + 1).await.unwrap(), 2);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Streamed": 2}));
    session.remove();
    assert!(is_alive(&sessions, &id).await);
    session.save().await.unwrap();
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn a_stream_is_told_at_every_save_that_its_session_has_ended() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    assert_unchanged(answer(&visit).await);
    assert!(sessions.end(&id.key()).await.unwrap());
    assert_gone(session.save().await);
    assert_gone(session.set_attr("Streamed", &1));
    assert_gone(session.save().await);
}

#[tokio::test]
async fn without_a_request_save_does_everything() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let id = session.id();
    session.set_attr("Color", "red").unwrap();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    assert!(!is_alive(&sessions, &id).await);
    assert_eq!(json!(found(&sessions, &session.id()).await.unwrap().attrs()), json!({"Color": "red"}));
    session.save().await.unwrap();
    session.remove();
    session.save().await.unwrap();
    assert!(!is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn the_first_presented_id_that_has_a_session_counts() {
    let sessions = sessions();
    let (first, second) = (created(&sessions, NewSession::new()).await, created(&sessions, NewSession::new()).await);
    let mut presented = PresentedIds::default();
    for text in ["junk", created(&self::sessions(), NewSession::new()).await.id().as_str()] {
        presented.push(text);
    }
    presented.push(second.id().as_str());
    presented.push(first.id().as_str());
    let visit = sessions.visit();
    visit.open(&presented).await.unwrap();
    assert_eq!(visit.session().unwrap().id(), second.id());
}

#[tokio::test]
async fn two_extractors_share_one_session() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let (one, two) = (visit.session().unwrap(), visit.clone().session().unwrap());
    one.set_attr("Color", "red").unwrap();
    assert_eq!(two.attr::<String>("Color").unwrap().as_deref(), Some("red"));
}

/// A28.
#[tokio::test]
async fn an_id_that_is_taken_is_drawn_again() {
    let store = MemoryStore::new();
    let sessions = build(SessionManager::builder(store.clone()).random_source(Repeating::each(2)));
    let first = created(&sessions, NewSession::new().attr("Whose", "first")).await;
    let second = created(&sessions, NewSession::new().attr("Whose", "second")).await;
    assert_ne!(first.id(), second.id());
    second.renew_id().unwrap();
    second.save().await.unwrap();
    assert_eq!(store.len(), 2);
    assert_eq!(found(&sessions, &first.id()).await.unwrap().attr::<String>("Whose").unwrap().unwrap(), "first");
    assert_eq!(found(&sessions, &second.id()).await.unwrap().attr::<String>("Whose").unwrap().unwrap(), "second");
}

/// A28, R3.
#[tokio::test]
async fn a_random_source_that_always_repeats_harms_nobody() {
    let store = MemoryStore::new();
    let sessions = build(SessionManager::builder(store.clone()).random_source(Repeating::each(u64::MAX)));
    let first = created(&sessions, NewSession::new().attr("Whose", "first")).await;
    assert!(sessions.create(NewSession::new()).await.is_err());
    first.renew_id().unwrap();
    assert!(first.save().await.is_err());
    assert_eq!(store.len(), 1);
    assert_eq!(found(&sessions, &first.id()).await.unwrap().attr::<String>("Whose").unwrap().unwrap(), "first");
}

/// A20, R2.
#[tokio::test]
async fn a_random_source_that_fails_is_an_error_and_no_weaker_id() {
    let store = MemoryStore::new();
    let sessions = build(SessionManager::builder(store.clone()).random_source(random_source::Exhausted::after(1)));
    let session = created(&sessions, NewSession::new().attr("Color", "red")).await;
    assert!(matches!(session.renew_id(), Err(Error::Random(_))));
    assert!(matches!(sessions.create(NewSession::new()).await, Err(Error::Random(_))));
    assert!(matches!(sessions.visit().start(NewSession::new()), Err(Error::Random(_))));
    session.save().await.unwrap();
    assert_eq!(store.len(), 1);
    assert!(is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn a_random_source_that_fails_only_later_leaves_the_visit_as_it_was() {
    let sessions = build(SessionManager::builder(MemoryStore::new()).random_source(random_source::Exhausted::after(1)));
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    assert!(visit.start(NewSession::new().principal("ann")).is_err());
    let session = visit.session().unwrap();
    assert_eq!((session.id(), session.principal()), (id, None));
    assert_unchanged(answer(&visit).await);
}

/// R1.
#[tokio::test]
async fn ids_have_the_asked_number_of_random_bytes() {
    for (bytes, chars) in [(16, 22), (18, 24), (32, 43)] {
        let sessions = build(SessionManager::builder(MemoryStore::new()).id_bytes(bytes));
        assert_eq!(created(&sessions, NewSession::new()).await.id().as_str().len(), chars);
    }
    for bytes in [0, 15, 33] {
        assert!(SessionManager::builder(MemoryStore::new()).id_bytes(bytes).build().is_err());
    }
}

#[tokio::test]
async fn a_handle_says_when_its_session_was_started_and_used() {
    let (sessions, clock) = managed(MemoryStore::new());
    let start = sessions.now();
    let session = created(&sessions, NewSession::new()).await;
    assert_eq!((session.created(), session.accessed()), (start, start));
    clock.advance(5 * MINUTE);
    let visit = request(&sessions, &session.id()).await;
    let handle = visit.session().unwrap();
    assert_eq!((handle.created(), handle.accessed()), (start, start));
    assert_unchanged(answer(&visit).await);
    let again = request(&sessions, &session.id()).await.session().unwrap();
    assert_eq!((again.created(), again.accessed()), (start, start.saturating_add(5 * MINUTE)));
}
