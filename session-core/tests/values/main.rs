//! What is set comes back as it was, in the same request and in later ones, or is refused when it is set.

mod depth;
mod generated;
mod listed;
mod numbers;
mod principals;
mod refused;
mod size;
mod stores;
mod strategies;
mod types;
mod unreadable;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use session_core::{AttributeError, Error, NewSession, Session};

use stores::{Managed, managers};

/// Sets a value and reads it, on each store, by each way that there is. `None` if it came back everywhere; the error
/// if it was refused everywhere. Panics if it is neither.
#[track_caller]
fn refusal_of<T>(name: &str, value: &T) -> Option<AttributeError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    refusal_by(name, value, |read: &T| assert_eq!(read, value))
}

/// The same for a type that says itself what is equal.
#[track_caller]
fn refusal_by<T: Serialize + DeserializeOwned>(name: &str, value: &T, check: impl Fn(&T)) -> Option<AttributeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut refusals = Vec::new();
        for managed in managers() {
            refusals.push(refusal_at(managed, name, value, &check).await);
        }
        let refused = refusals.iter().flatten().count();
        assert!(refused == 0 || refused == refusals.len(), "stores differ: {refusals:?}");
        refusals.pop().flatten()
    })
}

async fn refusal_at<T: Serialize + DeserializeOwned>(
    managed: &Managed,
    name: &str,
    value: &T,
    check: &impl Fn(&T),
) -> Option<AttributeError> {
    let sessions = &managed.sessions;
    let session = sessions.create(NewSession::new().attr("other", &7)).await.expect("the store works");
    let refusal = refusal_in(&session, managed, name, value, check).await;
    sessions.end(&session.handle()).await.expect("the store works");
    refusal
}

async fn refusal_in<T: Serialize + DeserializeOwned>(
    session: &Session,
    Managed { store, sessions }: &Managed,
    name: &str,
    value: &T,
    check: &impl Fn(&T),
) -> Option<AttributeError> {
    if let Err(error) = session.set_attr(name, value) {
        assert_eq!(session.attrs().len(), 1, "{store}: nothing is changed");
        let created = sessions.create(NewSession::new().constant(name, value)).await;
        assert!(created.is_err(), "{store}: refused as an attribute, taken as a constant");
        let Error::Attribute(error) = error else { panic!("{store}: {error}") };
        return Some(error);
    }
    let now = session.attr(name).unwrap_or_else(|error| panic!("{store}, in the same request: {error:?}"));
    check(&now.expect("it was set"));
    session.save().await.expect("what was taken can be saved");

    let id = session.id();
    let later = sessions.get(id.as_str()).await.expect("the store works").expect("one value costs no session");
    assert_eq!(later.attr("other").expect("a number"), Some(7));
    let then = later.attr(name).unwrap_or_else(|error| panic!("{store}, in a later request: {error:?}"));
    check(&then.expect("it was saved"));

    let new = NewSession::new().constant(name, value);
    let constant = sessions.create(new).await.expect("taken as an attribute, refused as a constant");
    let found = sessions.get(constant.id().as_str()).await.expect("the store works").expect("it was created");
    check(&found.constant(name).expect("readable").expect("it was given"));
    sessions.end(&constant.handle()).await.expect("the store works");
    None
}

/// The reason for which a value is refused.
#[track_caller]
fn assert_refused<T>(value: &T, reason: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    match refusal_of("value", value) {
        Some(error) => {
            let message = error.to_string();
            assert!(message.contains(reason), "{message}");
        }
        None => panic!("{value:?} was taken"),
    }
}

#[track_caller]
fn assert_comes_back<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    if let Some(error) = refusal_of("value", value) {
        panic!("{value:?}: {error}");
    }
}
