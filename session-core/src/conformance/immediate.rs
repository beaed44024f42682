use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{ImmediateStore, Renewed, Saved, Store};
use crate::time::Time;

use super::races::race;
use super::support::{
    MILLISECOND, SECOND, created, delete, edited, fresh_key, fresh_principal, fresh_record, load, now, renew, renewed,
    save, touch,
};

/// `load_now` gives what `load` gives, after each operation and up to the deadline.
pub async fn immediate_load_agrees_with_load(store: &impl Store) {
    let record = created(store).await;
    assert_eq!(load_both_ways(store, &fresh_key(), now()).await, None);
    assert_eq!(load_both_ways(store, &record.key, now()).await.as_ref(), Some(&record));
    let deadline = record.expires_at();
    assert_eq!(load_both_ways(store, &record.key, deadline.saturating_sub(MILLISECOND)).await.as_ref(), Some(&record));
    assert_eq!(load_both_ways(store, &record.key, deadline).await, None);

    touch(store, &record.key, record.accessed.saturating_add(SECOND)).await;
    assert!(load_both_ways(store, &record.key, now()).await.is_some());
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert!(load_both_ways(store, &record.key, now()).await.is_some());

    let new = renewed(&saved);
    assert_eq!(renew(store, &saved, &new).await, Renewed::Done);
    assert_eq!(load_both_ways(store, &saved.key, now()).await, None);
    assert!(load_both_ways(store, &new.key, now()).await.is_some());
    delete(store, &new.key).await;
    assert_eq!(load_both_ways(store, &new.key, now()).await, None);
}

/// `save_now` has the outcomes and the effects of `save`. A call that does not answer has changed nothing.
pub async fn immediate_save_agrees_with_save(store: &impl Store) {
    let record = created(store).await;
    let used = record.accessed.saturating_add(SECOND);
    touch(store, &record.key, used).await;
    let mut first = edited(&record, "Color", "blue");
    let mut late = edited(&record, "Color", "green");
    late.version = first.version;
    assert_eq!(save_now(store, &first, record.version).await, Saved::Done);
    first.accessed = used;
    assert_eq!(load(store, &record.key, now()).await.as_ref(), Some(&first));
    assert_eq!(save_now(store, &late, record.version).await, Saved::Conflict);
    assert_eq!(load(store, &record.key, now()).await.as_ref(), Some(&first));

    let mut expired = edited(&first, "Color", "green");
    expired.accessed = first.expires_at();
    assert_eq!(save_now(store, &expired, first.version).await, Saved::Missing);
    delete(store, &record.key).await;
    assert_eq!(save_now(store, &edited(&first, "Color", "green"), first.version).await, Saved::Missing);
    let unknown = fresh_record();
    assert_eq!(save_now(store, &edited(&unknown, "Color", "green"), unknown.version).await, Saved::Missing);
}

/// A store that says that it never waits answers each operation at the first poll.
pub async fn store_that_never_waits_is_ready_at_the_first_poll(store: &impl Store) {
    if !immediate(store).never_waits() {
        return;
    }
    let record = Record { principal: Some(fresh_principal().into()), ..fresh_record() };
    let (saved, principal) = (edited(&record, "Color", "blue"), PrincipalKey::of(record.principal.as_ref().unwrap()));
    let again = edited(&saved, "Color", "green");
    let new = renewed(&again);
    let _ = ready(store.create(&record));
    assert_eq!(ready(store.load(&record.key, now())).as_ref(), Some(&record));
    assert_eq!(ready(store.version(&record.key, now())), Some(record.version));
    assert!(immediate(store).load_now(&record.key, now()).is_some());
    assert!(immediate(store).load_now(&fresh_key(), now()).is_some());
    assert_eq!(ready(store.save(&saved, record.version)), Saved::Done);
    assert!(immediate(store).save_now(&again, saved.version).is_some());
    ready(store.touch(&record.key, now()));
    assert_eq!(ready(store.renew(&record.key, again.version, &new, None)), Renewed::Done);
    if store.capabilities().list {
        ready(store.list(now(), 1));
    }
    if store.capabilities().principals {
        assert_eq!(ready(store.of_principal(&principal, now())).len(), 1);
        assert_eq!(ready(store.delete_of_principal(&principal, None, now())), 1);
    }
    ready(store.delete(&new.key));
    ready(store.purge_expired(record.created, 1));
}

/// Of several immediate saves against one version at the same time, one succeeds. The others answer `Conflict`.
pub async fn parallel_immediate_saves_have_one_winner(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let attempts = (0..4).map(|writer| edited(&record, "Writer", writer)).collect();
        let save = move |store, saved: Record| async move { Ok(save_now(&store, &saved, record.version).await) };
        let (winner, rest) = race(store, Saved::Done, attempts, save).await;
        assert!(rest.iter().all(|saved| *saved == Saved::Conflict), "{rest:?}");
        assert_eq!(load(store, &winner.key, now()).await, Some(winner));
    }
}

fn immediate(store: &impl Store) -> &dyn ImmediateStore {
    store.immediate().expect("the store answers some calls at once")
}

/// Loads a record by `load` and by `load_now`, which must agree if the latter answers.
async fn load_both_ways(store: &impl Store, key: &RecordKey, now: Time) -> Option<Record> {
    let loaded = load(store, key, now).await;
    if let Some(answer) = immediate(store).load_now(key, now) {
        assert_eq!(answer.expect("the store works"), loaded);
    }
    loaded
}

/// Saves by `save_now`, and by `save` if that does not answer, as the library does.
async fn save_now(store: &impl Store, record: &Record, expected: Version) -> Saved {
    if let Some(answer) = immediate(store).save_now(record, expected) {
        return answer.expect("the store works");
    }
    save(store, record, expected).await
}

/// The answer of an operation that must be ready at the first poll.
#[track_caller]
fn ready<T>(operation: impl Future<Output = Result<T, StoreError>>) -> T {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("the store works"),
        Poll::Pending => panic!("an operation waits"),
    }
}

/// Declares one test for each behaviour of an [`ImmediateStore`](crate::store::ImmediateStore), which the expression
/// makes.
///
/// Use it in addition to [`conformance_tests!`](crate::conformance_tests), in its own module. That macro's
/// documentation says what the calling crate needs.
///
/// ```
/// session_core::immediate_store_tests!(session_core::MemoryStore::new());
/// ```
#[macro_export]
macro_rules! immediate_store_tests {
    ($store:expr) => {
        $crate::conformance_tests! { @behaviours $store =>
            immediate_load_agrees_with_load
            immediate_save_agrees_with_save
            store_that_never_waits_is_ready_at_the_first_poll
        }
        $crate::conformance_tests! { @races $store =>
            parallel_immediate_saves_have_one_winner
        }
    };
}
