//! T20: updates that may refuse.

use session_core::AttrKey;

use super::*;

const STOCK: AttrKey<u32> = AttrKey::new("Stock");

#[derive(Debug, PartialEq)]
struct SoldOut;

fn take_one(stock: Option<u32>) -> Result<u32, SoldOut> {
    stock.unwrap_or_default().checked_sub(1).ok_or(SoldOut)
}

/// With a store that is waited for, and one that answers at once.
fn stores() -> [FaultyStore; 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())]
}

#[tokio::test]
async fn an_update_that_is_refused_saves_nothing_and_keeps_what_was_collected() {
    for store in stores() {
        let (sessions, _) = managed(store.clone());
        let id = created(&sessions, NewSession::new().attr(STOCK, &1)).await.id();
        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        session.set_attr("Color", "red").unwrap();
        assert_eq!(session.try_update_attr(STOCK, take_one).await.unwrap(), Ok(0));
        session.set_attr("Color", "blue").unwrap();

        store.faults().fail_every(Operation::WRITES, Fault::Refused);
        assert_eq!(session.try_update_attr(STOCK, take_one).await.unwrap(), Err(SoldOut));
        store.faults().recover();
        assert_eq!(session.attr(STOCK).unwrap(), Some(0));
        assert_eq!(found(&sessions, &id).await.unwrap().attr::<String>("Color").unwrap().as_deref(), Some("red"));
        assert_unchanged(answer(&visit).await);
        assert_eq!(found(&sessions, &id).await.unwrap().attr::<String>("Color").unwrap().as_deref(), Some("blue"));
    }
}

/// The last of the stock is taken by another process between load and save: the update is asked again, and refuses.
#[tokio::test]
async fn an_update_is_refused_by_the_newer_value_after_a_conflict() {
    for store in stores() {
        let ((here, _), (there, _)) = (managed(store.clone()), managed(store));
        let id = created(&here, NewSession::new().attr(STOCK, &1)).await.id();
        let visit = request(&here, &id).await;
        let session = visit.session().unwrap();
        session.set_attr("Color", "red").unwrap();
        let other = found(&there, &id).await.unwrap();
        assert_eq!(other.try_update_attr(STOCK, take_one).await.unwrap(), Ok(0));

        let mut seen = Vec::new();
        let taken = session.try_update_attr(STOCK, |stock| {
            seen.push(stock);
            take_one(stock)
        });
        assert_eq!(taken.await.unwrap(), Err(SoldOut));
        assert_eq!(seen, [Some(1), Some(0)]);
        assert_unchanged(answer(&visit).await);
        let stored = found(&there, &id).await.unwrap();
        assert_eq!(stored.attr(STOCK).unwrap(), Some(0));
        assert_eq!(stored.attr::<String>("Color").unwrap().as_deref(), Some("red"));
    }
}

#[tokio::test]
async fn the_session_s_own_errors_are_the_outer_ones() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let session = created(&sessions, NewSession::new().attr(STOCK, &5)).await;
    let text = session.try_update_attr("Stock", |_: Option<String>| Ok::<_, SoldOut>(String::new())).await;
    assert!(matches!(text, Err(Error::Attribute(_))), "{text:?}");
    store.faults().fail_next(Operation::Save, Fault::Refused);
    assert!(session.try_update_attr(STOCK, take_one).await.unwrap_err().is_store_failure());
    assert!(sessions.end(&session.handle()).await.unwrap());
    assert_gone(session.try_update_attr(STOCK, take_one).await);
}

#[tokio::test]
async fn a_session_that_was_just_started_is_only_changed_in_memory() {
    let sessions = sessions();
    let visit = sessions.visit();
    let session = visit.start(NewSession::new().attr(STOCK, &1)).unwrap();
    assert_eq!(session.try_update_attr(STOCK, take_one).await.unwrap(), Ok(0));
    assert_eq!(session.try_update_attr(STOCK, take_one).await.unwrap(), Err(SoldOut));
    let id = issued(answer(&visit).await);
    assert_eq!(found(&sessions, &id).await.unwrap().attr(STOCK).unwrap(), Some(0));
}
