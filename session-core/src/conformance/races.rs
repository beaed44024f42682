use std::collections::HashSet;
use std::future::Future;

use tokio::task::{JoinSet, yield_now};

use crate::error::StoreError;
use crate::record::Record;
use crate::session::NewSession;
use crate::store::{Created, Renewed, Saved, Store};

use super::managing::manager;
use super::support::{
    MINUTE, SECOND, create, created, delete, edited, fresh_record, is_alive, load, now, renew, renewed, save, touch,
};

const WRITERS: u32 = 4;

/// Of several creations of one key at the same time, one succeeds, and its record is stored.
pub async fn parallel_creates_have_one_winner(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = fresh_record();
        let attempts = (0..WRITERS).map(|writer| edited(&record, "Writer", writer)).collect();
        let create = |store, record| async move { Store::create(&store, &record).await };
        let (winner, rest) = race(store, Created::Done, attempts, create).await;
        assert!(rest.iter().all(|written| *written == Created::Exists), "{rest:?}");
        assert_eq!(load(store, &record.key, now()).await, Some(winner));
    }
}

/// Of several saves against one version at the same time, one succeeds. The others answer `Conflict`.
pub async fn parallel_saves_of_one_version_have_one_winner(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let attempts = (0..WRITERS).map(|writer| edited(&record, "Writer", writer)).collect();
        let save = move |store, saved: Record| async move { Store::save(&store, &saved, record.version).await };
        let (winner, rest) = race(store, Saved::Done, attempts, save).await;
        assert!(rest.iter().all(|written| *written == Saved::Conflict), "{rest:?}");
        assert_eq!(load(store, &winner.key, now()).await, Some(winner));
    }
}

/// Of several renewals of one record at the same time, one succeeds. The others answer `Missing` or `Conflict`.
pub async fn parallel_renewals_leave_one_live_record(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let attempts: Vec<Record> = (0..WRITERS).map(|_| renewed(&record)).collect();
        let (old, version) = (record.key, record.version);
        let renew = move |store, new: Record| async move { Store::renew(&store, &old, version, &new, None).await };
        let (winner, rest) = race(store, Renewed::Done, attempts.clone(), renew).await;
        let told = |written: &Renewed| matches!(written, Renewed::Missing | Renewed::Conflict);
        assert!(rest.iter().all(told), "{rest:?}");
        assert!(!is_alive(store, &record.key, now()).await);
        for new in attempts {
            assert_eq!(load(store, &new.key, now()).await, (new.key == winner.key).then_some(new));
        }
    }
}

/// A deletion and a save at the same time leave no record.
pub async fn delete_against_save_leaves_nothing(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let (saver, deleter, key) = (store.clone(), store.clone(), record.key);
        let saving = async move { save(&saver, &edited(&record, "Color", "blue"), record.version).await };
        let (saved, _) = at_once(saving, async move { delete(&deleter, &key).await }).await;
        assert!(matches!(saved, Saved::Done | Saved::Missing), "{saved:?}");
        assert!(!is_alive(store, &key, now()).await);
    }
}

/// A deletion and a touch at the same time leave no record.
pub async fn delete_against_touch_leaves_nothing(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let (toucher, deleter, key) = (store.clone(), store.clone(), record.key);
        let touching = async move { touch(&toucher, &key, record.accessed.saturating_add(MINUTE)).await };
        at_once(touching, async move { delete(&deleter, &key).await }).await;
        assert!(!is_alive(store, &key, now()).await);
    }
}

/// A deletion and a renewal at the same time leave no record under the old key. The new key has one if the renewal
/// succeeded.
pub async fn delete_against_renewal_leaves_no_old_record(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let new = renewed(&record);
        let (renewer, deleter) = (store.clone(), store.clone());
        let (old_key, new_key) = (record.key, new.key);
        let renewing = async move { renew(&renewer, &record, &new).await };
        let (written, _) = at_once(renewing, async move { delete(&deleter, &old_key).await }).await;
        assert!(matches!(written, Renewed::Done | Renewed::Missing), "{written:?}");
        assert!(!is_alive(store, &old_key, now()).await);
        assert_eq!(is_alive(store, &new_key, now()).await, written == Renewed::Done);
    }
}

/// Of a save and a renewal at the same time, one succeeds, and the other one is told.
pub async fn save_against_renewal_is_lost_by_one(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let (saved, new) = (edited(&record, "Color", "blue"), renewed(&record));
        let (saver, renewer) = (store.clone(), store.clone());
        let saving = {
            let (saved, version) = (saved.clone(), record.version);
            async move { save(&saver, &saved, version).await }
        };
        let renewing = {
            let (record, new) = (record.clone(), new.clone());
            async move { renew(&renewer, &record, &new).await }
        };
        let (by_save, by_renewal) = match at_once(saving, renewing).await {
            (Saved::Done, Renewed::Conflict) => (Some(saved), None),
            (Saved::Missing | Saved::Conflict, Renewed::Done) => (None, Some(new.clone())),
            outcome => panic!("saving and renewing ended as {outcome:?}"),
        };
        assert_eq!(load(store, &record.key, now()).await, by_save);
        assert_eq!(load(store, &new.key, now()).await, by_renewal);
    }
}

/// A touch and a save at the same time both take effect.
pub async fn touch_against_save_loses_neither(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let record = created(store).await;
        let (saver, toucher) = (store.clone(), store.clone());
        let (key, version) = (record.key, record.version);
        let accessed = record.accessed.saturating_add(MINUTE);
        let saved = edited(&record, "Color", "blue");
        let after_both = Record { accessed, ..saved.clone() };
        let saving = async move { save(&saver, &saved, version).await };
        let (written, ()) = at_once(saving, async move { touch(&toucher, &key, accessed).await }).await;
        assert_eq!(written, Saved::Done);
        assert_eq!(load(store, &key, now()).await, Some(after_both));
    }
}

/// A purge deletes no record that a touch has kept alive.
pub async fn touch_against_purge_keeps_what_was_alive(store: &(impl Store + Clone), rounds: usize) {
    for _ in 0..rounds {
        let mut record = fresh_record();
        record.idle_timeout = MINUTE / 2;
        create(store, &record).await;
        let (toucher, purger, key) = (store.clone(), store.clone(), record.key);
        let deadline = record.expires_at();
        let touching = async move {
            touch(&toucher, &key, deadline.saturating_sub(SECOND)).await;
            is_alive(&toucher, &key, deadline).await
        };
        let purging = async move { purger.purge_expired(deadline, 1000).await.expect("the store works") };
        let (was_alive, _) = at_once(touching, purging).await;
        assert_eq!(is_alive(store, &key, deadline).await, was_alive);
    }
}

/// Two attributes that are always saved together are always loaded together.
pub async fn load_never_sees_half_a_save(store: &(impl Store + Clone), rounds: usize) {
    let record = edited(&edited(&fresh_record(), "Left", 0), "Right", 0);
    create(store, &record).await;
    let (writer, key) = (store.clone(), record.key);
    let mut writing = tokio::spawn(async move {
        let mut last = record;
        for round in 1..=rounds {
            let mut saved = edited(&edited(&last, "Left", round), "Right", round);
            saved.version = last.version.next(0);
            assert_eq!(save(&writer, &saved, last.version).await, Saved::Done);
            last = saved;
            yield_now().await;
        }
    });
    while !writing.is_finished() {
        let loaded = load(store, &key, now()).await.expect("it is alive");
        assert_eq!(loaded.attributes.get("Left"), loaded.attributes.get("Right"));
        yield_now().await;
    }
    (&mut writing).await.expect("the writer works");
}

/// N increments by several processes add N, and each caller gets another number.
pub async fn parallel_updates_add_up(store: &(impl Store + Clone), rounds: usize) {
    let session = manager(store).create(NewSession::new().attr("Count", &0)).await.expect("the store works");
    let mut clients = JoinSet::new();
    for _ in 0..WRITERS {
        let (sessions, id) = (manager(store), session.id());
        clients.spawn(async move {
            let session = sessions.get(id.as_str()).await.expect("the store works").expect("it is alive");
            let mut answers = Vec::new();
            for _ in 0..rounds {
                let count = session.update_attr("Count", |count: Option<usize>| count.unwrap_or(0) + 1).await;
                answers.push(count.expect("the session is there"));
            }
            answers
        });
    }
    let answers = clients.join_all().await.concat();
    let total = WRITERS as usize * rounds;
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), total, "no two answers are the same");
    let loaded = load(store, &session.handle(), now()).await.expect("it is alive");
    assert_eq!(loaded.attributes.get("Count"), Some(&total.into()));
}

/// Makes several attempts of the same kind at the same time. Returns the one that was stored, and the outcomes of
/// the others.
pub(super) async fn race<S, W, O>(
    store: &S,
    done: O,
    attempts: Vec<Record>,
    write: impl Fn(S, Record) -> W,
) -> (Record, Vec<O>)
where
    S: Store + Clone,
    O: PartialEq + std::fmt::Debug + Send + 'static,
    W: Future<Output = Result<O, StoreError>> + Send + 'static,
{
    let mut writers = JoinSet::new();
    for record in attempts {
        let writing = write(store.clone(), record.clone());
        writers.spawn(async move { (record, writing.await.expect("the store works")) });
    }
    let (winners, rest): (Vec<_>, Vec<_>) =
        writers.join_all().await.into_iter().partition(|(_, written)| *written == done);
    let [(winner, _)] = <[_; 1]>::try_from(winners).expect("exactly one was stored");
    (winner, rest.into_iter().map(|(_, written)| written).collect())
}

/// Runs two futures at the same time, each in its own task.
pub(super) async fn at_once<A, B>(
    a: impl Future<Output = A> + Send + 'static,
    b: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let (a, b) = (tokio::spawn(a), tokio::spawn(b));
    (a.await.expect("no panic"), b.await.expect("no panic"))
}
