//! How much room a session takes in each store, and how many connections a process, compared with the tables in
//! `docs/guides/which-store.md`.
//!
//! `cargo test -p workspace-tests --all-features --test store_sizing -- --nocapture` prints the table.

#![cfg(all(unix, feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]

use std::collections::BTreeMap;

use session_core::{
    Authentication, Codec, EncryptedCodec, Envelope, JsonCodec, MemoryStore, NewSession, SessionManager, Store,
};
use session_stores::{MemcachedStore, PostgresStore, RedisStore, SqliteStore, TrackedRedisStore};
use tokio::sync::Mutex;
use workspace_tests::records::manager;
use workspace_tests::{MemcachedServer, PostgresServer, RedisServer};

const SESSIONS: u64 = 1_000;
/// What is resident grows page by page, so it takes more sessions to see what one takes.
const SESSIONS_IN_MEMORY: u64 = 20_000;
const CHANGES: u32 = 3;

/// What is resident belongs to all tests of this process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A typical session: a user who gave a password, a browser, a language and a cart.
fn typical(number: u64) -> NewSession {
    let proof = Authentication::by(["pwd"]).credentials("the hash of a password");
    NewSession::new()
        .principal(format!("user-{number:06}"))
        .authenticated(proof)
        .constant("Browser", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .attr("Cart", &[("article-1001", 2), ("article-2002", 1), ("article-3003", 1)])
        .attr("Language", "en")
        .attr("Visits", &1)
}

/// Fills the store, and tells what `size` grew by for each session: when all are started, and when each was changed three
/// times.
async fn grown(store: &(impl Store + Clone), size: impl AsyncFn() -> u64) -> [u64; 2] {
    let sessions = manager(store);
    // What is made at the first use, such as statements that are prepared.
    sessions.create(typical(0)).await.unwrap();
    let before = size().await;
    let mut ids = Vec::new();
    for number in 1..=SESSIONS {
        ids.push(sessions.create(typical(number)).await.unwrap().id());
    }
    let started = size().await;
    for _ in 0..CHANGES {
        for id in &ids {
            change(&sessions, id.as_str()).await;
        }
    }
    [started, size().await].map(|size| (size - before) / SESSIONS)
}

async fn change(sessions: &SessionManager, id: &str) {
    let session = sessions.get(id).await.unwrap().unwrap();
    session.update_attr("Visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await.unwrap();
}

/// The values alone.
async fn as_json() -> u64 {
    let sessions = SessionManager::new(MemoryStore::new());
    sessions.create(typical(0)).await.unwrap();
    let record = sessions.list(1).await.unwrap().remove(0);
    let body = Envelope::seal(&record, &JsonCodec).unwrap().body;
    let start = body.iter().position(|byte| *byte == b'{').expect("JSON begins with a brace");
    (body.len() - start) as u64
}

/// The resident memory of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

async fn in_memory() -> u64 {
    let sessions = manager(&MemoryStore::new());
    sessions.create(typical(0)).await.unwrap();
    let before = resident();
    for number in 1..=SESSIONS_IN_MEMORY {
        sessions.create(typical(number)).await.unwrap();
    }
    (resident() - before) / SESSIONS_IN_MEMORY
}

async fn in_sqlite(codec: impl Codec) -> [u64; 2] {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap().with_codec(codec);
    let file = folder.path().join("sessions.db");
    let checkpointed = async || {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
        pool.close().await;
        std::fs::metadata(&file).unwrap().len()
    };
    grown(&store, checkpointed).await
}

async fn in_postgres(server: &PostgresServer) -> [u64; 2] {
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let size = async || {
        let tables = ["session_records", "session_records_moved"];
        let size = |table| server.sql(&format!("SELECT pg_total_relation_size('{table}')"));
        tables.map(size).iter().map(|size| size.trim().parse::<u64>().unwrap()).sum()
    };
    grown(&store, size).await
}

async fn in_redis(server: &RedisServer) -> [u64; 2] {
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let size = async || {
        let info = server.ask(&["INFO", "memory"]);
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        used.trim().parse().unwrap()
    };
    grown(&store, size).await
}

async fn in_memcached(server: &MemcachedServer) -> [u64; 2] {
    let store = MemcachedStore::connect(&server.url()).await.unwrap();
    // An item takes a chunk of its class.
    let size = async || {
        let stats = server.ask("stats slabs");
        let of_class = |name: &str| -> BTreeMap<String, u64> {
            let fields = stats.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
            let fields = fields.filter_map(|(field, value)| Some((field.split_once(':')?, value)));
            let of_name = fields.filter(|((_, field), _)| *field == name);
            of_name.map(|((class, _), value)| (class.to_owned(), value.trim().parse().unwrap())).collect()
        };
        let (sizes, used) = (of_class("chunk_size"), of_class("used_chunks"));
        sizes.iter().map(|(class, size)| size * used[class]).sum()
    };
    grown(&store, size).await
}

/// Signs in as many visitors at once as any server may get.
async fn crowd(store: &(impl Store + Clone)) {
    let sessions = manager(store);
    let logins = (0..200).map(|number| {
        let sessions = sessions.clone();
        tokio::spawn(async move { sessions.create(typical(number)).await.unwrap() })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
}

/// P84.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_as_many_connections_as_the_guide_says() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (Some(postgres), Some(redis), Some(memcached)) =
        (PostgresServer::start(), RedisServer::start(), MemcachedServer::start())
    else {
        return;
    };
    let number_of = |text: &str, field: &str| -> u64 {
        let found = text.lines().find_map(|line| line.strip_prefix(field));
        found.unwrap().trim().parse().unwrap()
    };
    // Whoever asks is one of them.
    let at_redis = || number_of(&redis.ask(&["INFO", "clients"]), "connected_clients:") - 1;
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    crowd(&store).await;
    assert_eq!(at_redis(), 1);
    let tracked = TrackedRedisStore::connect(&redis.url()).await.unwrap();
    crowd(&tracked).await;
    assert_eq!(at_redis(), 2);

    let at_postgres = || {
        let others = "backend_type = 'client backend' AND pid <> pg_backend_pid()";
        postgres.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE {others}")).trim().parse::<u64>().unwrap()
    };
    let before = at_postgres();
    let store = PostgresStore::connect(&postgres.url()).await.unwrap();
    crowd(&store).await;
    let opened = at_postgres() - before;
    assert!((1..=10).contains(&opened), "{opened} connections to PostgreSQL");

    let at_memcached = || number_of(&memcached.ask("stats"), "STAT curr_connections ");
    let before = at_memcached();
    let store = MemcachedStore::connect(&memcached.url()).await.unwrap();
    crowd(&store).await;
    let opened = at_memcached() - before;
    assert!((1..=8).contains(&opened), "{opened} connections to Memcached");
}

/// P84.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_the_room_that_the_guide_says() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (Some(postgres), Some(redis), Some(memcached)) =
        (PostgresServer::start(), RedisServer::start(), MemcachedServer::start())
    else {
        return;
    };
    let (json, memory) = (as_json().await, in_memory().await);
    let measured = [
        ("the values, as JSON", [json, json]),
        ("`MemoryStore`", [memory, memory]),
        ("`SqliteStore`", in_sqlite(JsonCodec).await),
        ("`SqliteStore`, encrypted", in_sqlite(EncryptedCodec::new(&[1; 32])).await),
        ("`PostgresStore`", in_postgres(&postgres).await),
        ("`RedisStore`", in_redis(&redis).await),
        ("`MemcachedStore`", in_memcached(&memcached).await),
    ];
    for (store, [started, changed]) in measured {
        eprintln!("| {store} | {started} | {changed} |");
    }
    let guide = include_str!("../../docs/guides/which-store.md");
    for (store, measured) in measured {
        let row = guide.lines().find_map(|line| line.strip_prefix(&format!("| {store} | "))?.strip_suffix(" |"));
        let told: Vec<u64> = row.unwrap_or_else(|| panic!("no row for {store}")).split(" | ").map(number).collect();
        for (told, measured) in told.iter().zip(measured) {
            let is_near = *told * 7 <= measured * 10 && measured * 7 <= *told * 10;
            assert!(is_near, "{store}: {told} bytes in the guide, {measured} here");
        }
    }
}

fn number(text: &str) -> u64 {
    text.replace(',', "").parse().expect("a number of bytes")
}
