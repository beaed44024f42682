//! What the server holds and sees.

use session_core::{Created, NewSession, Purged, Saved, Store};
use session_stores::PostgresStore;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor};
use workspace_tests::records::*;
use workspace_tests::{PostgresServer, Proxy};

use crate::support::*;

/// What a read-only request costs, and one that changes something.
#[tokio::test]
async fn a_read_is_one_round_trip_and_a_change_two() {
    let Some(server) = shared_server() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let sessions = manager(&connect(&PostgresServer::url_at(proxy.addr())).await);
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let id = session.id();
    for round in 0..5 {
        let before = proxy.round_trips();
        let visit = sessions.get(id.as_str()).await.unwrap().unwrap();
        let read = proxy.round_trips();
        visit.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap();
        let changed = proxy.round_trips();
        // The first time, the statements are prepared.
        if round > 0 {
            assert_eq!((read - before, changed - read), (1, 1));
        }
    }
}

/// A15: whoever has a copy of the database can't open a session.
#[tokio::test]
async fn a_dump_holds_no_id() {
    let Some(server) = PostgresServer::start() else { return };
    let sessions = manager(&connect(&server.url()).await);
    let session = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    let old_id = session.id();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    let dump = server.dump();
    let key: String = session.handle().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(dump.contains(&key), "the record is in the dump");
    for id in [old_id, session.id()] {
        let hexadecimal: String = id.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(id.as_str()) && !dump.contains(&hexadecimal));
    }
}

/// A9: CVE-2015-5143 and its kin (Django).
#[tokio::test]
async fn strangers_make_no_rows() {
    let Some(server) = shared_server() else { return };
    let store = connect(&server.url()).await.with_table("strangers").unwrap();
    store.set_up().await.unwrap();
    for _ in 0..campaign(100) {
        let stranger = fresh_record();
        assert_eq!(load(&store, &stranger.key).await, None);
        store.touch(&stranger.key, now()).await.unwrap();
        assert_eq!(store.save(&next(&stranger), stranger.version).await.unwrap(), Saved::Missing);
        store.delete(&stranger.key).await.unwrap();
    }
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM strangers");
    assert_eq!(count.fetch_one(&mut administrator(server).await).await.unwrap(), 0);
}

/// A29: the database's own idea of time plays no part.
#[tokio::test]
async fn in_any_time_zone_only_the_expired_are_purged() {
    let Some(server) = PostgresServer::start() else { return };
    for zone in ["America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"] {
        // Every new connection of sqlx's has UTC.
        let pool = PgPoolOptions::new().after_connect(move |connection, _| {
            let set_zone = AssertSqlSafe(format!("SET TimeZone = '{zone}'"));
            Box::pin(async move { connection.execute(set_zone).await.map(drop) })
        });
        let pool = pool.connect_lazy(&server.url()).unwrap();
        let shown: String = sqlx::query_scalar("SHOW TimeZone").fetch_one(&pool).await.unwrap();
        assert_eq!(shown, zone);
        let store = PostgresStore::from_pool(pool);
        store.set_up().await.unwrap();

        let now = now();
        let used = |ago| {
            with(fresh_record(), |record| {
                record.accessed = now.saturating_sub(ago);
                record.idle_timeout = MINUTE;
            })
        };
        let alive = created(&store, used(MINUTE - SECOND)).await;
        let expired = created(&store, used(MINUTE)).await;
        let purged = store.purge_expired(now, 100).await.unwrap();
        assert_eq!(purged, Purged::new(1, false), "{zone}");
        assert!(store.load(&alive.key, now).await.unwrap().is_some(), "{zone}");
        assert!(store.load(&expired.key, now.saturating_sub(SECOND)).await.unwrap().is_none(), "{zone}");
        store.delete(&alive.key).await.unwrap();
    }
}

/// B22, F14: what is not this key's record is none, and is not replaced silently either.
#[tokio::test]
async fn a_damaged_row_is_none_and_stays() {
    let Some(server) = shared_server() else { return };
    let store = connect(&server.url()).await;
    let foreign = created(&store, fresh_record()).await;
    let damages = [
        "body = ''",
        "body = substring(body FROM 1 FOR length(body) - 1)",
        "body = set_byte(body, 0, 99)",
        "body = body || '}'",
        "principal = '\\x00'",
        "idle_timeout_ms = -1",
        "body = (SELECT body FROM session_records WHERE key = $2)",
    ];
    for damage in damages {
        let record = created(&store, fresh_record()).await;
        let update = format!("UPDATE session_records SET {damage} WHERE key = $1 AND $2 <> ''::bytea");
        let update = sqlx::query(AssertSqlSafe(update)).bind(record.key.as_bytes()).bind(foreign.key.as_bytes());
        let mut administrator = administrator(server).await;
        assert_eq!(update.execute(&mut administrator).await.unwrap().rows_affected(), 1);
        assert_eq!(load(&store, &record.key).await, None, "{damage}");
        assert_eq!(store.create(&record).await.unwrap(), Created::Exists, "{damage}");
        store.delete(&record.key).await.unwrap();
    }
}

/// However large the session is.
#[tokio::test]
async fn a_version_is_told_without_the_body() {
    let Some(server) = shared_server() else { return };
    let store = connect(&server.url()).await.with_table("versions").unwrap();
    store.set_up().await.unwrap();
    let record = created(&store, fresh_record()).await;
    let mut administrator = administrator(server).await;
    administrator.execute("ALTER TABLE versions RENAME COLUMN body TO elsewhere").await.unwrap();
    assert!(store.load(&record.key, now()).await.is_err());
    assert_eq!(store.version(&record.key, now()).await.unwrap(), Some(record.version));
    // The deadlines count, whatever the column for the index says.
    administrator.execute(AssertSqlSafe(format!("UPDATE versions SET expires_at = {}", i64::MAX))).await.unwrap();
    assert_eq!(store.version(&record.key, record.expires_at()).await.unwrap(), None);
}
