//! What saving costs at a store that remembers what it loaded, for one that reaches its server through
//! a [`Proxy`](crate::Proxy) that counts: `calls` is how many there have been.

use session_core::{NewSession, Record, Saved, Store};

use crate::records::*;

/// Tells how many calls there have been since it was last asked.
pub fn of_a_step(calls: impl Fn() -> u64) -> impl FnMut() -> u64 {
    let mut before = calls();
    move || {
        let now = calls();
        now - std::mem::replace(&mut before, now)
    }
}

/// A request that only reads is one call, and one that changes its session is two.
pub async fn a_change_takes_two_calls(store: &(impl Store + Clone), calls: impl Fn() -> u64) {
    let sessions = manager(store);
    let id = sessions.create(NewSession::new()).await.unwrap().id();
    for _ in 0..3 {
        let before = calls();
        let session = sessions.get(id.as_str()).await.unwrap().unwrap();
        assert_eq!(calls() - before, 1);
        session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.unwrap();
        assert_eq!(calls() - before, 2);
        session.set_attr("Color", "red").unwrap();
        session.save().await.unwrap();
        assert_eq!(calls() - before, 3, "a second save is one more");
    }
}

/// Whoever did not load what is stored by now pays with another call, and overwrites nothing. `other`
/// is the same store in another process.
pub async fn what_changed_since_it_was_loaded_is_read_again(
    store: &impl Store,
    other: &impl Store,
    calls: impl Fn() -> u64,
) {
    let record = created(store, fresh_record()).await;
    let save = async |record: &Record, expected| {
        let before = calls();
        let written = store.save(record, expected).await.unwrap();
        (written, calls() - before)
    };
    let saved = next(&record);
    assert_eq!(save(&saved, record.version).await, (Saved::Done, 2), "it was not loaded");

    let (again, later) = (next(&saved), now().saturating_add(MINUTE));
    other.touch(&record.key, later).await.unwrap();
    assert_eq!(save(&again, saved.version).await, (Saved::Done, 3), "it was touched");
    assert_eq!(load(store, &record.key).await, Some(with(again.clone(), |record| record.accessed = later)));

    let theirs = next(&again);
    assert_eq!(other.save(&theirs, again.version).await.unwrap(), Saved::Done);
    assert_eq!(save(&next(&again), again.version).await, (Saved::Conflict, 2), "it was saved");
    assert_eq!(load(store, &record.key).await, Some(with(theirs.clone(), |record| record.accessed = later)));

    other.delete(&record.key).await.unwrap();
    assert_eq!(save(&next(&theirs), theirs.version).await.0, Saved::Missing);
    assert_eq!(load(store, &record.key).await, None);
}
