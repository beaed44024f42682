use std::collections::BTreeMap;

use serde_json::json;
use session_core::{AttrKey, AttributeError, Error, MAX_SESSION_BYTES, NewSession};

use super::*;

const USER: AttrKey<String> = AttrKey::new("UserName");
const COUNT: AttrKey<u32> = AttrKey::new("Count");

#[track_caller]
fn assert_wrong_type<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Attribute(AttributeError::Type { .. }))), "{result:?}");
}

#[track_caller]
fn assert_too_large<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Attribute(AttributeError::TooLarge { .. }))), "{result:?}");
}

#[tokio::test]
async fn typed_keys_and_names_mean_the_same_attribute() {
    let session = created(&sessions(), NewSession::new().attr(USER, "ann").attr("Count", &1)).await;
    assert_eq!(session.attr(COUNT).unwrap(), Some(1));
    assert_eq!(session.attr::<u32>("Count").unwrap(), Some(1));
    session.set_attr(COUNT, &2).unwrap();
    assert_eq!(session.attr::<u64>("Count").unwrap(), Some(2));
    session.remove_attr(COUNT).unwrap();
    assert_eq!(session.attr::<u32>("Count").unwrap(), None);
    assert_eq!(session.attr(USER).unwrap().as_deref(), Some("ann"));
}

#[tokio::test]
async fn unknown_attributes_are_none_and_removing_them_is_silent() {
    let session = created(&sessions(), NewSession::new()).await;
    assert_eq!(session.attr(COUNT).unwrap(), None);
    assert_eq!(session.constant(USER).unwrap(), None);
    assert_eq!(session.take_attr(COUNT).unwrap(), None);
    session.remove_attr("nothing").unwrap();
    session.save().await.unwrap();
    assert!(session.attrs().is_empty());
}

#[tokio::test]
async fn a_taken_attribute_is_read_once() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().attr("Flash", "saved!")).await;
    let visit = request(&sessions, &session.id()).await;
    let handle = visit.session().unwrap();
    assert_eq!(handle.take_attr::<String>("Flash").unwrap().as_deref(), Some("saved!"));
    assert_eq!(handle.take_attr::<String>("Flash").unwrap(), None);
    assert_unchanged(answer(&visit).await);
    assert!(found(&sessions, &session.id()).await.unwrap().attrs().is_empty());
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_and_stays() {
    let sessions = sessions();
    let new = NewSession::new().attr("Count", "many").constant("UserName", &7);
    let session = created(&sessions, new).await;
    assert_wrong_type(session.attr(COUNT));
    assert_wrong_type(session.constant(USER));
    assert_wrong_type(session.take_attr(COUNT));
    assert_wrong_type(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await);
    session.save().await.unwrap();
    let again = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(again.attr::<String>("Count").unwrap().as_deref(), Some("many"));
}

#[tokio::test]
async fn constants_are_apart_from_attributes_and_never_change() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().constant(USER, "ann")).await;
    assert_eq!(session.attr(USER).unwrap(), None);
    session.set_attr(USER, "eve").unwrap();
    session.save().await.unwrap();
    session.remove_attr(USER).unwrap();
    session.save().await.unwrap();
    let again = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(again.constant(USER).unwrap().as_deref(), Some("ann"));
    assert_eq!(json!(again.constants()), json!({"UserName": "ann"}));
}

#[tokio::test]
async fn attrs_is_a_copy_with_the_changes_so_far() {
    let session = created(&sessions(), NewSession::new().attr("a", &1).attr("b", &1)).await;
    let before = session.attrs();
    session.set_attr("a", &2).unwrap();
    session.remove_attr("b").unwrap();
    session.set_attr("c", &3).unwrap();
    assert_eq!(json!(before), json!({"a": 1, "b": 1}));
    assert_eq!(json!(session.attrs()), json!({"a": 2, "c": 3}));
}

#[tokio::test]
async fn null_is_a_value() {
    let session = created(&sessions(), NewSession::new().attr("Maybe", &None::<u32>)).await;
    assert_eq!(session.attr::<Option<u32>>("Maybe").unwrap(), Some(None));
    assert_eq!(session.attr::<Option<u32>>("Other").unwrap(), None);
}

#[tokio::test]
async fn a_value_without_json_form_is_refused_and_changes_nothing() {
    let sessions = sessions();
    let unnamed = BTreeMap::from([(vec![1], 2)]);
    let refused = sessions.create(NewSession::new().attr("a", &unnamed)).await;
    assert!(matches!(refused, Err(Error::Attribute(AttributeError::Serialize { .. }))), "{refused:?}");
    let session = created(&sessions, NewSession::new().attr("a", &1)).await;
    assert!(session.set_attr("a", &unnamed).is_err());
    assert_eq!(session.attr("a").unwrap(), Some(1));
}

#[tokio::test]
async fn an_emptied_session_is_saved_as_empty() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().attr("a", &1).attr("b", &2)).await;
    session.remove_attr("a").unwrap();
    session.remove_attr("b").unwrap();
    session.save().await.unwrap();
    assert!(found(&sessions, &session.id()).await.unwrap().attrs().is_empty());
}

#[tokio::test]
async fn two_requests_setting_different_attributes_both_survive() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr("Old", &0)).await.id();
    let (first, second) = (request(&sessions, &id).await, request(&sessions, &id).await);
    first.session().unwrap().set_attr("First", &1).unwrap();
    second.session().unwrap().set_attr("Second", &2).unwrap();
    second.session().unwrap().remove_attr("Old").unwrap();
    assert_unchanged(answer(&first).await);
    assert_unchanged(answer(&second).await);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"First": 1, "Second": 2}));
    assert_eq!(sessions.counters().conflicts, 1);
}

#[tokio::test]
async fn of_two_requests_setting_one_attribute_the_later_save_wins_for_it_alone() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let (first, second) = (request(&sessions, &id).await, request(&sessions, &id).await);
    first.session().unwrap().set_attr("Same", "first").unwrap();
    first.session().unwrap().set_attr("Own", &1).unwrap();
    second.session().unwrap().set_attr("Same", "second").unwrap();
    assert_unchanged(answer(&second).await);
    assert_unchanged(answer(&first).await);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Own": 1, "Same": "first"}));
}

#[tokio::test]
async fn update_attr_saves_what_was_collected_before_it() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().attr(COUNT, &1)).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Color", "blue").unwrap();
    session.set_attr(COUNT, &5).unwrap();
    assert_eq!(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await.unwrap(), 6);
    // Without waiting for the end of the request.
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Color": "blue", "Count": 6}));
}

#[tokio::test]
async fn update_attr_runs_again_on_what_another_request_stored() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let (first, second) = (request(&sessions, &id).await, request(&sessions, &id).await);
    let count = |visit: &Visit| {
        let session = visit.session().unwrap();
        async move { session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await }
    };
    assert_eq!(count(&first).await.unwrap(), 1);
    assert_eq!(count(&second).await.unwrap(), 2);
    assert_eq!(count(&first).await.unwrap(), 3);
}

#[tokio::test]
async fn update_attr_on_a_started_session_works_in_memory() {
    let store = MemoryStore::new();
    let (sessions, _) = managed(store.clone());
    let visit = sessions.visit();
    let session = visit.start(NewSession::new().attr(COUNT, &1)).unwrap();
    assert_eq!(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await.unwrap(), 2);
    assert!(store.is_empty());
    let id = issued(answer(&visit).await);
    assert_eq!(found(&sessions, &id).await.unwrap().attr(COUNT).unwrap(), Some(2));
}

#[tokio::test]
async fn a_session_over_the_limit_is_refused_and_unharmed() {
    let sessions = sessions();
    let half = "x".repeat(MAX_SESSION_BYTES / 2);
    let session = created(&sessions, NewSession::new().attr("a", &half)).await;
    assert_too_large(session.set_attr("b", &half));
    assert_too_large(session.update_attr("b", |_: Option<String>| half.clone()).await);
    assert_too_large(sessions.create(NewSession::new().attr("a", &half).constant("b", &half)).await);
    session.set_attr("b", "small").unwrap();
    session.save().await.unwrap();
    let again = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(again.attr::<String>("b").unwrap().as_deref(), Some("small"));
    assert_eq!(again.attr::<String>("a").unwrap(), Some(half));
}

#[tokio::test]
async fn a_large_attribute_may_be_replaced_by_another() {
    let session = created(&sessions(), NewSession::new().attr("a", &"x".repeat(MAX_SESSION_BYTES - 100))).await;
    session.set_attr("a", &"y".repeat(MAX_SESSION_BYTES - 100)).unwrap();
    session.remove_attr("a").unwrap();
    session.set_attr("b", &"z".repeat(MAX_SESSION_BYTES - 100)).unwrap();
    session.save().await.unwrap();
}

#[tokio::test]
async fn changes_that_are_too_large_together_are_refused_when_they_are_merged() {
    let half = "x".repeat(MAX_SESSION_BYTES / 2);
    // At once, and with waiting.
    for (sessions, _) in [managed(MemoryStore::new()), managed(faulty())] {
        let id = created(&sessions, NewSession::new()).await.id();
        let (first, second) = (request(&sessions, &id).await, request(&sessions, &id).await);
        first.session().unwrap().set_attr("First", &half).unwrap();
        second.session().unwrap().set_attr("Second", &half).unwrap();
        assert_unchanged(answer(&first).await);
        assert_too_large(answer(&second).await);
        let stored = found(&sessions, &id).await.unwrap().attrs();
        assert_eq!(stored.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["First"]);
    }
}
