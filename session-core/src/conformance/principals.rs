use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey};
use crate::store::{Renewed, Saved, Store};
use crate::time::Time;

use super::support::{
    HOUR, MINUTE, create, created, delete, edited, fresh_principal, fresh_record, is_alive, move_to, now, renew,
    renewed, save, touch,
};

/// The records of a principal are found, and no others. A store without this operation answers with an error that
/// says so.
pub async fn principal_has_its_live_records_only(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let (ann, bob) = (fresh_principal(), fresh_principal());
    let (first, second) = (created_for(store, &ann).await, created_for(store, &ann).await);
    created_for(store, &bob).await;
    created(store).await;
    assert_eq!(keys_of(store, &ann, now()).await, sorted([first.key, second.key]));
    let records = of_principal(store, &ann, now()).await;
    assert!(records.contains(&first) && records.contains(&second));
    assert_eq!(keys_of(store, &fresh_principal(), now()).await, []);
}

/// The records of a principal are right after each creation, save, renewal and deletion.
pub async fn principal_index_follows_creation_renewal_and_removal(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let (ann, bob) = (fresh_principal(), fresh_principal());
    let record = created_for(store, &ann).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(keys_of(store, &ann, now()).await, [record.key]);

    let new = renewed(&saved);
    assert_eq!(renew(store, &saved, &new).await, Renewed::Done);
    assert_eq!(keys_of(store, &ann, now()).await, [new.key]);

    let other = Record { principal: Some(bob.as_str().into()), ..renewed(&new) };
    assert_eq!(renew(store, &new, &other).await, Renewed::Done);
    assert_eq!(keys_of(store, &ann, now()).await, []);
    assert_eq!(keys_of(store, &bob, now()).await, [other.key]);

    delete(store, &other.key).await;
    assert_eq!(keys_of(store, &bob, now()).await, []);
}

/// An expired record is not found for its principal from the deadline on, purged or not. One that was touched is
/// found.
pub async fn principal_index_forgets_the_expired(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let ann = fresh_principal();
    let (idle, used) = (created_for(store, &ann).await, created_for(store, &ann).await);
    let deadline = idle.expires_at().max(used.expires_at());
    touch(store, &used.key, used.accessed.saturating_add(MINUTE)).await;
    assert_eq!(keys_of(store, &ann, deadline.saturating_sub(HOUR / 2)).await.len(), 2);
    assert_eq!(keys_of(store, &ann, deadline).await, [used.key]);
}

/// `delete_of_principal` deletes all records of a principal except one, and none of others.
pub async fn delete_of_principal_spares_one_and_strangers(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let (ann, bob) = (fresh_principal(), fresh_principal());
    let (here, there) = (created_for(store, &ann).await, created_for(store, &ann).await);
    let (stranger, anonymous) = (created_for(store, &bob).await, created(store).await);
    assert_eq!(delete_of_principal(store, &ann, Some(&here.key), now()).await, 1);
    assert!(!is_alive(store, &there.key, now()).await);
    assert_eq!(keys_of(store, &ann, now()).await, [here.key]);
    assert_eq!(save(store, &edited(&there, "Color", "blue"), there.version).await, Saved::Missing);

    assert_eq!(delete_of_principal(store, &ann, None, now()).await, 1);
    assert!(!is_alive(store, &here.key, now()).await);
    assert!(is_alive(store, &stranger.key, now()).await);
    assert!(is_alive(store, &anonymous.key, now()).await);
}

/// `delete_of_principal` spares a session also if it was renewed since its key was read, and counts each session once.
pub async fn delete_of_principal_spares_one_under_a_key_that_it_had(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let (ann, until) = (fresh_principal(), now().saturating_add(MINUTE));
    let (here, there) = (created_for(store, &ann).await, created_for(store, &ann).await);
    let (here_later, there_later) = (renewed(&here), renewed(&there));
    let here_last = renewed(&here_later);
    for (old, new) in [(&here, &here_later), (&there, &there_later), (&here_later, &here_last)] {
        assert_eq!(move_to(store, old, new, until).await, Renewed::Done);
    }
    assert_eq!(delete_of_principal(store, &ann, Some(&here.key), now()).await, 1);
    assert_eq!(keys_of(store, &ann, now()).await, [here_last.key]);
    assert!(is_alive(store, &here_last.key, now()).await);
    assert!(!is_alive(store, &there_later.key, now()).await);
}

/// `delete_of_principal` counts only records that were live.
pub async fn delete_of_principal_counts_the_live(store: &impl Store) {
    if !finds_principals(store).await {
        return;
    }
    let ann = fresh_principal();
    assert_eq!(delete_of_principal(store, &ann, None, now()).await, 0);
    let mut short = fresh_record();
    short.principal = Some(ann.as_str().into());
    short.idle_timeout = 5 * MINUTE;
    create(store, &short).await;
    created_for(store, &ann).await;
    created_for(store, &ann).await;
    assert_eq!(delete_of_principal(store, &ann, None, short.expires_at()).await, 2);
    assert_eq!(keys_of(store, &ann, now()).await.len(), usize::from(is_alive(store, &short.key, now()).await));
}

/// Live records are listed, and no expired or deleted ones. A store without this operation answers with an error
/// that says so.
pub async fn list_has_live_records_only(store: &impl Store) {
    if !lists(store).await {
        return;
    }
    let (live, deleted) = (created(store).await, created(store).await);
    let mut short = fresh_record();
    short.idle_timeout = 5 * MINUTE;
    create(store, &short).await;
    delete(store, &deleted.key).await;
    let listed = store.list(short.expires_at(), EVERYTHING).await.expect("the store works");
    assert!(listed.contains(&live));
    assert!(!listed.iter().any(|record| record.key == short.key || record.key == deleted.key));
}

/// At most `limit` records are listed. An empty list is no error.
pub async fn list_keeps_to_its_limit(store: &impl Store) {
    if !lists(store).await {
        return;
    }
    created(store).await;
    created(store).await;
    for limit in [0, 1, 2] {
        assert_eq!(store.list(now(), limit).await.expect("the store works").len(), limit);
    }
    let after_all = now().saturating_add(3000 * 366 * 24 * HOUR);
    assert_eq!(store.list(after_all, EVERYTHING).await.expect("the store works"), []);
}

/// A limit above the number of records on a server that tests share.
const EVERYTHING: usize = 1_000_000;

async fn finds_principals(store: &impl Store) -> bool {
    let supported = store.capabilities().principals;
    if !supported {
        let nobody = PrincipalKey::of(&fresh_principal());
        is_refused(store, "principals", store.of_principal(&nobody, now()).await);
        is_refused(store, "principals", store.delete_of_principal(&nobody, None, now()).await);
    }
    supported
}

async fn lists(store: &impl Store) -> bool {
    let supported = store.capabilities().list;
    if !supported {
        is_refused(store, "listing", store.list(now(), 1).await);
    }
    supported
}

/// Checks that an operation which the store does not support is an error that says so, and not an empty answer.
fn is_refused<T>(store: &impl Store, what: &str, answer: Result<T, StoreError>) {
    let refused = answer.is_err_and(|error| error.is_unsupported());
    assert!(refused, "the {} store should say that it does not support {what}", store.name());
    eprintln!("skipped: the {} store does not support {what}", store.name());
}

async fn created_for(store: &impl Store, principal: &str) -> Record {
    let record = Record { principal: Some(principal.into()), ..fresh_record() };
    create(store, &record).await;
    record
}

async fn of_principal(store: &impl Store, principal: &str, now: Time) -> Vec<Record> {
    store.of_principal(&PrincipalKey::of(principal), now).await.expect("the store works")
}

async fn keys_of(store: &impl Store, principal: &str, now: Time) -> Vec<RecordKey> {
    sorted(of_principal(store, principal, now).await.iter().map(|record| record.key))
}

async fn delete_of_principal(store: &impl Store, principal: &str, except: Option<&RecordKey>, now: Time) -> usize {
    store.delete_of_principal(&PrincipalKey::of(principal), except, now).await.expect("the store works")
}

fn sorted(keys: impl IntoIterator<Item = RecordKey>) -> Vec<RecordKey> {
    let mut keys: Vec<RecordKey> = keys.into_iter().collect();
    keys.sort();
    keys
}
