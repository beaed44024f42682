//! The file, and what becomes of it.

use std::os::unix::fs::PermissionsExt;

use session_core::{Created, Deleted, Error, NewSession, PrincipalKey, Saved, Store, StoreError, Version};
use session_stores::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use workspace_tests::records::*;
use workspace_tests::store_faults;

use crate::support::*;

#[tokio::test]
async fn sessions_survive_a_restart() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    let session = sessions.create(NewSession::new().attr("Count", &7)).await.unwrap();
    sessions.close().await.unwrap();
    sessions.close().await.unwrap();
    assert!(matches!(sessions.get(session.id().as_str()).await, Err(Error::Store(_))));

    let sessions = manager(&file.open().await);
    let again = sessions.get(session.id().as_str()).await.unwrap().expect("it survives");
    assert_eq!(again.attr::<u32>("Count").unwrap(), Some(7));
}

/// A23: CVE-2019-16354 (beego).
#[tokio::test]
async fn the_file_and_its_log_are_private() {
    let file = File::new();
    let store = file.open().await;
    created(&store, fresh_record()).await;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(file.path().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    names.sort();
    assert_eq!(names, ["sessions.db", "sessions.db-shm", "sessions.db-wal"]);
}

/// A15, R26, B35: CVE-2019-16782 (rack).
#[tokio::test]
async fn the_files_hold_no_id() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    let session = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    let old_id = session.id();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(file.path().parent().unwrap()).unwrap() {
        files.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |bytes: &[u8]| files.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(session.handle().as_bytes()), "the record is in the files");
    assert!(!holds(old_id.as_str().as_bytes()) && !holds(session.id().as_str().as_bytes()));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let file = File::new();
    let folder = file.path().parent().unwrap().to_owned();
    for path in [folder.join("missing/sessions.db"), folder] {
        let Err(error) = SqliteStore::open(&path).await else { panic!("{path:?} is opened") };
        let said = cause(&error);
        assert!(said.contains(path.to_str().unwrap()), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_name_of_a_file_is_refused_with_what_to_write_instead() {
    for (name, fix) in [
        (":memory:", "MemoryStore"),
        ("", "MemoryStore"),
        ("sqlite::memory:", "the path alone"),
        ("sqlite://sessions.db?mode=rwc", "the path alone"),
        ("file:sessions.db", "the path alone"),
    ] {
        let Err(error) = SqliteStore::open(name).await else { panic!("{name:?} is opened") };
        assert!(cause(&error).contains(fix), "{}", cause(&error));
        assert!(name.is_empty() || !std::path::Path::new(name).exists(), "{name} was made");
    }
}

/// SQLite keeps values of any type in a column.
#[tokio::test]
async fn a_row_with_values_of_other_types_costs_its_session_alone() {
    let file = File::new();
    let store = file.open().await;
    let of_ann = || with(fresh_record(), |record| record.principal = Some("ann".into()));
    let good = of_ann();
    assert_eq!(store.create(&good).await.unwrap(), Created::Done);
    let mut other_program = SqliteConnection::connect(file.path().to_str().unwrap()).await.unwrap();
    for column in ["version", "created", "accessed", "idle_timeout_ms", "absolute_deadline", "persistent", "body"] {
        let bad = of_ann();
        assert_eq!(store.create(&bad).await.unwrap(), Created::Done);
        let damage = format!("UPDATE session_records SET {column} = 'nonsense' WHERE key = $1");
        let damage = sqlx::query(AssertSqlSafe(damage)).bind(bad.key.as_bytes().to_vec());
        assert_eq!(damage.execute(&mut other_program).await.unwrap().rows_affected(), 1);
        assert_eq!(load(&store, &bad.key).await, None, "{column}");
        let found = store.list(good.accessed, 100).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&good), "{column}");
        let found = store.of_principal(&PrincipalKey::of("ann"), good.accessed).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&good), "{column}");
        assert_ne!(store.save(&next(&bad), Version::from_number(7)).await.unwrap(), Saved::Done, "{column}");
        assert_eq!(store.delete(&bad.key).await.unwrap(), Deleted::Done, "{column}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_and_stays() {
    let file = File::new();
    let text = "Dear diary, ".repeat(1000);
    std::fs::write(file.path(), &text).unwrap();
    let Err(error) = SqliteStore::open(file.path()).await else { panic!("a diary is opened") };
    assert!(cause(&error).contains("not a database"), "{}", cause(&error));
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
}

/// F5: what is there stays and can be read; what does not fit is an error.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let file = File::new();
    file.open().await.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(file.path()).pragma("max_page_count", "100");
    let store = SqliteStore::from_pool(SqlitePoolOptions::new().connect_lazy_with(options));
    let large =
        |letter: &str| with(fresh_record(), |record| record.attributes = attributes("Text", letter.repeat(20_000)));
    let mut stored = Vec::new();
    let refused = loop {
        let record = large("a");
        match store.create(&record).await {
            Ok(written) => assert_eq!(written, Created::Done),
            Err(error) => break error,
        }
        stored.push(record);
    };
    assert!(refused.is_unavailable() && cause(&refused).contains("full"), "{}", cause(&refused));
    assert!(stored.len() > 5);

    let larger = with(next(&stored[0]), |record| record.attributes = attributes("Text", "b".repeat(200_000)));
    assert!(store.save(&larger, stored[0].version).await.is_err());
    let moved = with(renewed(&stored[1]), |record| record.attributes = larger.attributes.clone());
    assert!(renew(&store, &stored[1], &moved).await.is_err());
    for record in &stored {
        assert_eq!(load(&store, &record.key).await.as_ref(), Some(record));
    }
    assert_eq!(load(&store, &moved.key).await, None);

    // A logout makes room.
    store.delete(&stored[2].key).await.unwrap();
    created(&store, large("c")).await;
}

/// However large the session is.
#[tokio::test]
async fn a_version_is_told_without_the_body() {
    let file = File::new();
    let store = file.open().await;
    let record = created(&store, fresh_record()).await;
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    administrator.execute("ALTER TABLE session_records RENAME COLUMN body TO elsewhere").await.unwrap();
    assert!(store.load(&record.key, now()).await.is_err());
    assert_eq!(store.version(&record.key, now()).await.unwrap(), Some(record.version));
    // The deadlines count, whatever the column for the index says.
    administrator
        .execute(AssertSqlSafe(format!("UPDATE session_records SET expires_at = {}", i64::MAX)))
        .await
        .unwrap();
    assert_eq!(store.version(&record.key, record.expires_at()).await.unwrap(), None);
}

/// F4, F11: whoever gives up, at any point.
#[tokio::test]
async fn a_renewal_that_is_cancelled_leaves_exactly_one() {
    let file = File::new();
    store_faults::cancelled_renewal_leaves_exactly_one(&file.open().await, campaign(200)).await;
}

/// B22, F14: what is not this key's record is none, and is not replaced silently either.
#[tokio::test]
async fn a_damaged_row_is_none_and_stays() {
    let file = File::new();
    let store = file.open().await;
    let foreign = created(&store, fresh_record()).await;
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    let damages = [
        "body = x''",
        "body = substr(body, 1, length(body) - 1)",
        "body = x'63' || substr(body, 2)",
        "body = body || x'7d'",
        "principal = x'00'",
        "idle_timeout_ms = -1",
        "body = (SELECT body FROM session_records WHERE key = $2)",
    ];
    for damage in damages {
        let record = created(&store, fresh_record()).await;
        let update = format!("UPDATE session_records SET {damage} WHERE key = $1 AND $2 <> x''");
        let update = sqlx::query(AssertSqlSafe(update)).bind(record.key.as_bytes().to_vec());
        let updated = update.bind(foreign.key.as_bytes().to_vec()).execute(&mut administrator).await.unwrap();
        assert_eq!(updated.rows_affected(), 1);
        assert_eq!(load(&store, &record.key).await, None, "{damage}");
        assert_eq!(store.create(&record).await.unwrap(), Created::Exists, "{damage}");
        store.delete(&record.key).await.unwrap();
    }
}

/// A9: CVE-2015-5143 and its kin (Django).
#[tokio::test]
async fn strangers_make_no_rows() {
    let file = File::new();
    let store = file.open().await;
    for _ in 0..campaign(100) {
        let stranger = fresh_record();
        assert_eq!(load(&store, &stranger.key).await, None);
        store.touch(&stranger.key, now()).await.unwrap();
        assert_eq!(store.save(&next(&stranger), stranger.version).await.unwrap(), Saved::Missing);
        store.delete(&stranger.key).await.unwrap();
    }
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM session_records");
    assert_eq!(count.fetch_one(&mut administrator).await.unwrap(), 0);
}

/// A writer of another program's that does not finish is waited for, and then said.
#[tokio::test]
async fn a_file_that_stays_locked_is_an_error_that_may_pass() {
    let file = File::new();
    file.open().await.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(file.path()).busy_timeout(SECOND / 20);
    let store = SqliteStore::from_pool(SqlitePoolOptions::new().connect_lazy_with(options));
    let record = created(&store, fresh_record()).await;
    let mut other = SqliteConnection::connect(&file.url()).await.unwrap();
    let writing = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(store.save(&next(&record), record.version).await.unwrap_err().is_unavailable());
    assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
    writing.rollback().await.unwrap();
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Done);
}

/// Without them, purging and logging out everywhere read the whole table.
#[tokio::test]
async fn expiry_and_principal_have_indexes() {
    let file = File::new();
    let store = file.open().await;
    assert_eq!(store.capabilities(), session_core::Capabilities::ALL);
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    for (condition, index) in [
        ("session_records WHERE expires_at <= 5", "session_records_expires_at"),
        ("session_records WHERE principal = x''", "session_records_principal"),
        ("session_records_moved WHERE until <= 5", "session_records_moved_until"),
    ] {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN SELECT key FROM {condition}"));
        let plan: (i64, i64, i64, String) = sqlx::query_as(explain).fetch_one(&mut administrator).await.unwrap();
        assert!(plan.3.contains(index), "{plan:?}");
    }
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).expect("a cause").to_string()
}
