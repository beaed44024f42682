//! What every store must do when the network or the server fails, or a caller gives up: one function
//! per behaviour, for a store that reaches its server through a [`Proxy`].

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use session_core::{Error, NewSession, Record, RecordKey, Renewed, Saved, SessionManager, Store, StoreError};
use tokio::task::JoinSet;

use crate::proxy::{Fault, Proxy};
use crate::random::Random;
use crate::records::*;

/// F1, B34: an error, not an anonymous visitor; and no restart is needed.
pub async fn down_is_an_error_at_once_and_recovers(store: &impl Store, proxy: &Proxy) {
    let record = created(store, fresh_record()).await;
    for _ in 0..3 {
        proxy.set(Fault::Refuse);
        let down = Instant::now();
        for _ in 0..10 {
            assert!(store.load(&record.key, now()).await.unwrap_err().is_unavailable());
        }
        assert!(down.elapsed() < SECOND, "{:?}", down.elapsed());
        proxy.set(Fault::None);
        let up = Instant::now();
        while store.load(&record.key, now()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(up.elapsed() < SECOND, "recovered after {:?}", up.elapsed());
        assert_eq!(load(store, &record.key).await.as_ref(), Some(&record));
    }
}

/// F2: what was not saved is visible nowhere.
pub async fn save_while_down_changes_nothing(store: &(impl Store + Clone), proxy: &Proxy) {
    let sessions = manager(store);
    let session = sessions.create(NewSession::new().attr("Color", "red")).await.unwrap();
    let again = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    again.set_attr("Color", "blue").unwrap();
    proxy.set(Fault::Refuse);
    assert!(matches!(again.save().await, Err(Error::Store(_))));
    proxy.set(Fault::None);
    let stored = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(stored.attr::<String>("Color").unwrap().unwrap(), "red");
}

/// F3: a server that is silent is an error in time, and is used again when it speaks.
pub async fn silence_is_an_error_within_the_time_limit(store: &(impl Store + Clone), proxy: &Proxy) {
    let record = created(store, fresh_record()).await;
    // Far below the limits of the stores' own, and with half a second for a busy machine.
    let limit = Duration::from_millis(100);
    let hasty = SessionManager::builder(store.clone()).without_background_purge().time_limit(limit).build().unwrap();
    proxy.set(Fault::BlackHole);
    for _ in 0..5 {
        let start = Instant::now();
        assert!(matches!(hasty.create(NewSession::new()).await, Err(Error::Store(_))));
        assert!(start.elapsed() < limit * 6, "{:?}", start.elapsed());
    }
    proxy.set(Fault::None);
    let up = Instant::now();
    while store.load(&record.key, now()).await.is_err() {}
    assert!(up.elapsed() < SECOND, "recovered after {:?}", up.elapsed());
}

/// A connection through which nothing comes any more is given up, even if it never breaks.
pub async fn silence_ends_without_a_manager(store: &impl Store, proxy: &Proxy, limit: Duration) {
    let record = created(store, fresh_record()).await;
    proxy.set(Fault::BlackHole);
    let start = Instant::now();
    assert!(store.load(&record.key, now()).await.unwrap_err().is_unavailable());
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    proxy.set(Fault::None);
    assert_eq!(load(store, &record.key).await, Some(record));
}

/// S55: callers who wait for less than the store would, as the fast tier of two does, get through as well once the
/// connections of before are of no more use.
pub async fn hasty_callers_outlast_connections_that_stay_silent(store: &impl Store, proxy: &Proxy) {
    const PATIENCE: Duration = Duration::from_millis(300);
    let record = created(store, fresh_record()).await;
    proxy.strand_connections();
    let silent = Instant::now();
    loop {
        if let Ok(Ok(found)) = tokio::time::timeout(PATIENCE, store.load(&record.key, now())).await {
            assert_eq!(found, Some(record));
            return;
        }
        assert!(silent.elapsed() < 15 * SECOND, "nobody has found out");
    }
}

/// F4: the request arrives or not, the reply arrives or not; the count is never wrong.
///
/// `request` and `reply` are about how many bytes there are to cut in a request that counts.
pub async fn cut_connection_counts_no_update_twice(
    store: &(impl Store + Clone),
    proxy: &Proxy,
    rounds: usize,
    [request, reply]: [u64; 2],
) {
    let sessions = manager(store);
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    for round in 1..=rounds as u64 {
        let session = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        proxy.set(cut(round, [request, reply]));
        let counted = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await;
        proxy.set(Fault::None);
        assert_eq!(counted.unwrap(), round);
    }
    let stored = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(stored.attr::<usize>("Count").unwrap(), Some(rounds));
}

/// F4: a record of half a megabyte is there as before or as after, whole.
pub async fn cut_large_save_is_old_or_new(store: &impl Store, proxy: &Proxy, rounds: usize) {
    let text = |letter: &str| attributes("Text", letter.repeat(500_000));
    let mut stored = created(store, with(fresh_record(), |record| record.attributes = text("a"))).await;
    for round in 0..rounds as u64 {
        let saved = with(next(&stored), |record| record.attributes = text(["b", "c"][round as usize % 2]));
        proxy.set(Fault::CutRequestAfter(round * 15_485 % 510_000));
        let answer = store.save(&saved, stored.version).await;
        proxy.set(Fault::None);
        let loaded = settled(store, &stored).await;
        assert!(loaded == stored || loaded == saved, "mixed in round {round}");
        assert!(loaded == saved || !matches!(answer, Ok(Saved::Done)), "acknowledged and lost in round {round}");
        stored = loaded;
    }
}

/// F8, guarantee 3: whatever is cut, exactly one of the two keys has everything; and who asks again,
/// as the manager does, gets it renewed.
pub async fn cut_renewal_leaves_exactly_one(
    store: &(impl Store + Clone),
    proxy: &Proxy,
    rounds: usize,
    bytes: [u64; 2],
) {
    let sessions = manager(store);
    for round in 0..rounds as u64 {
        let old = created(store, with(fresh_record(), |record| record.attributes = attributes("Round", round))).await;
        let new = renewed(&old);
        proxy.set(cut(round, bytes));
        let answer = renew(store, &old, &new).await;
        proxy.set(Fault::None);
        assert_exactly_one(store, &old, &new, answer.is_ok_and(|written| written == Renewed::Done)).await;

        let session = sessions.create(NewSession::new().principal("ann").attr("Round", &round)).await.unwrap();
        let old_id = session.id();
        session.renew_id().unwrap();
        proxy.set(cut(round, bytes));
        session.save().await.unwrap();
        proxy.set(Fault::None);
        assert!(sessions.get(old_id.as_str()).await.unwrap().is_none());
        let session = sessions.get(session.id().as_str()).await.unwrap().expect("it was renewed");
        assert_eq!(session.attr::<u64>("Round").unwrap(), Some(round));
    }
}

/// The same where the caller gives up at any point.
pub async fn cancelled_renewal_leaves_exactly_one(store: &impl Store, rounds: usize) {
    let mut cancelled = 0;
    // How often the last renewal waited that was not cancelled.
    let mut usual = 1;
    // How many are cancelled is up to how fast the store answers, so it goes on until there were
    // enough of them.
    for round in 0.. {
        if round >= rounds && cancelled > rounds / 8 {
            break;
        }
        assert!(round < 100 * rounds, "only {cancelled} of {round} were cancelled");
        let old = created(store, with(fresh_record(), |record| record.attributes = attributes("Round", round))).await;
        let new = renewed(&old);
        let (answer, waits) = within_waits(round % (usual + 1), renew(store, &old, &new)).await;
        match answer {
            Some(_) => usual = waits.max(1),
            None => cancelled += 1,
        }
        let is_done = answer.is_some_and(|answer| answer.expect("the store works") == Renewed::Done);
        assert_exactly_one(store, &old, &new, is_done).await;
        // Whatever was left behind is in nobody's way.
        let is_again_renewed = async |current: &Record| {
            let next = renewed(current);
            let written = renew(store, current, &next).await.expect("the store works");
            if written == Renewed::Done {
                assert_exactly_one(store, current, &next, true).await;
            }
            written == Renewed::Done
        };
        // In this order, as what was cancelled may still take effect in between.
        assert!(is_again_renewed(&old).await || is_again_renewed(&new).await);
    }
}

/// A renewal whose caller gave up, at any of its commands, arrives when another attempt has renewed the session and it has
/// ended: nothing comes back.
///
/// `late` reaches the server through the proxies, `store` does not. `has_arrived` tells whether a first command of a
/// renewal that came late has left something under the new key.
pub async fn late_renewal_brings_nothing_back(
    late: &impl Store,
    store: &impl Store,
    proxies: &[Proxy],
    has_arrived: impl Fn(&RecordKey) -> bool,
) {
    let set = |fault| proxies.iter().for_each(|proxy| proxy.set(fault));
    let round_trips = || proxies.iter().map(Proxy::round_trips).sum::<u64>();
    for commands in 0..6 {
        let old = created(store, with(fresh_record(), |record| record.principal = Some("ann".into()))).await;
        let new = renewed(&old);
        // So that the first command is one that writes, whatever the store remembers.
        assert_eq!(load(late, &old.key).await.as_ref(), Some(&old));
        set(Fault::Delay(Duration::from_millis(1)));
        let before = round_trips();
        let enough = async {
            while round_trips() < before + commands {
                tokio::task::yield_now().await;
            }
            set(Fault::BlackHole);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        tokio::select! {
            _ = renew(late, &old, &new) => {}
            () = enough => {}
        }
        set(Fault::BlackHole);
        let again = renew(store, &old, &new).await.expect("the store works");
        assert!(matches!(again, Renewed::Done | Renewed::Missing | Renewed::Exists), "{again:?}");
        assert_eq!(store.end(&old.key).await.expect("the store works"), Some(new.key), "after {commands} commands");

        set(Fault::None);
        let since = Instant::now();
        while late.load(&new.key, now()).await.is_err() || commands == 0 && !has_arrived(&new.key) {
            assert!(since.elapsed() < 10 * SECOND, "nothing has arrived after {commands} commands");
        }
        for _ in 0..20 {
            assert_eq!(
                (load(late, &old.key).await, load(late, &new.key).await),
                (None, None),
                "after {commands} commands"
            );
        }
        assert_eq!(store.end(&old.key).await.expect("the store works"), None);
    }
}

/// A26: whoever waits gets the reply to their own question, whoever gave up before.
///
/// So many clients read marked records, save and touch them; most of them give up. Where a connection carries
/// one call at a time there must be no more clients than can be answered before they do.
pub async fn cancelled_calls_leave_nobody_anothers_reply(
    store: &(impl Store + Clone),
    proxy: &Proxy,
    clients: u64,
    cancellations: usize,
) {
    // In microseconds: from before a call is sent to after it is answered.
    const PATIENCE: u64 = 20_000;
    let mut marked = Vec::new();
    for mark in 0..32 {
        marked.push(created(store, with(fresh_record(), |record| record.attributes = attributes("Mark", mark))).await);
    }
    let marked = Arc::new(marked);
    proxy.set(Fault::Delay(Duration::from_micros(500)));
    let (cancelled, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut calling = JoinSet::new();
    for client in 0..clients {
        let (store, marked) = (store.clone(), marked.clone());
        let (cancelled, answered) = (cancelled.clone(), answered.clone());
        calling.spawn(async move {
            let mut random = Random(client);
            let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
            // How many are answered is up to how fast the machine is, so it goes on until enough were.
            while count(&cancelled) < cancellations || count(&answered) <= cancellations / 20 {
                assert!(count(&cancelled) < 20 * cancellations, "only {} were answered", count(&answered));
                let record = &marked[random.below(32) as usize];
                let patience = Duration::from_micros(random.below(PATIENCE));
                let visiting = visit(&store, record, random.below(3));
                let is_answered = match tokio::time::timeout(patience, visiting).await {
                    Ok(Ok(())) => true,
                    // A client library may close a connection on which too many gave up: HTTP/2 does.
                    Ok(Err(error)) if error.is_unavailable() => false,
                    Ok(Err(error)) => panic!("the store works: {error:?}"),
                    Err(_) => false,
                };
                if is_answered { &answered } else { &cancelled }.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    calling.join_all().await;
    proxy.set(Fault::None);
    for record in marked.iter() {
        assert_eq!(settled(store, record).await.attributes, record.attributes);
    }
}

async fn visit(store: &impl Store, record: &Record, kind: u64) -> Result<(), StoreError> {
    let loaded = store.load(&record.key, now()).await?.expect("it is alive");
    assert_eq!((loaded.key, &loaded.attributes), (record.key, &record.attributes), "another's reply");
    match kind {
        0 => {}
        1 => store.touch(&record.key, now()).await?,
        _ => {
            let saved = with(next(&loaded), |record| record.accessed = now());
            let written = store.save(&saved, loaded.version).await?;
            assert!(matches!(written, Saved::Done | Saved::Conflict), "{written:?}");
        }
    }
    Ok(())
}

fn cut(round: u64, [request, reply]: [u64; 2]) -> Fault {
    // Both are coprime to most lengths, so that rounds differ.
    if round.is_multiple_of(2) {
        Fault::CutRequestAfter(round * 7919 % request)
    } else {
        Fault::CutReplyAfter(round * 104_729 % reply)
    }
}

/// The record of this one's key once the server is reached again.
async fn settled(store: &impl Store, record: &Record) -> Record {
    loop {
        if let Ok(loaded) = store.load(&record.key, now()).await {
            return loaded.expect("it is alive");
        }
    }
}

/// Of the two records, and a moved note if it is the new one.
async fn assert_exactly_one(store: &impl Store, old: &Record, new: &Record, is_done: bool) {
    let look = async || (load(store, &old.key).await, load(store, &new.key).await, moved(store, &old.key).await);
    let mut found = look().await;
    if !matches!(found, (Some(_), None, None) | (None, Some(_), Some(_))) {
        // The renewal took effect between the looks.
        found = look().await;
    }
    match found {
        (Some(found), None, None) => {
            assert!(!is_done, "renewed, and then not");
            assert_eq!(found, *old);
        }
        (None, Some(found), Some(to)) => assert_eq!((found, to), (new.clone(), new.key)),
        neither_or_both => panic!("not exactly one: {neither_or_both:?}"),
    }
}

/// The future's output, unless it has to wait more often than that: then it is dropped. And how
/// often it has waited.
async fn within_waits<F: Future>(limit: usize, future: F) -> (Option<F::Output>, usize) {
    let mut future = pin!(future);
    let mut waits = 0;
    let output = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waits += 1;
            if waits > limit { Poll::Ready(None) } else { Poll::Pending }
        }
    });
    (output.await, waits)
}
