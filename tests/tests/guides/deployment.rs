use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{
    Key, ManualClock, MemoryStore, NewSession, Session, SessionCookie, SessionError, SessionLayer, SessionLayerBuilder,
    SessionManager,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use workspace_tests::client::Client;

use crate::code::deployment;
use crate::with_login;

async fn home(_: Session) {}

fn app(layer: SessionLayer) -> Router {
    with_login(Router::new().route("/", get(home))).layer(layer)
}

type Setting = fn(SessionLayerBuilder<MemoryStore>) -> SessionLayerBuilder<MemoryStore>;

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// Whether whoever signed in before a change of settings is signed in after it, and again when it is undone.
async fn after_a_change(before: Setting, after: Setting) -> [StatusCode; 2] {
    let store = MemoryStore::new();
    let [before, after] =
        [before, after].map(|setting| app(setting(SessionLayer::builder(store.clone())).build().unwrap()));
    let mut client = Client::new(&before);
    client.post("/login").await;
    client = client.moved_to(&after);
    let changed = client.get("/").await.status;
    [changed, client.moved_to(&before).get("/").await.status]
}

/// P88.
#[tokio::test]
async fn a_change_of_settings_does_to_living_sessions_what_the_table_says() {
    fn cookie() -> SessionCookie {
        SessionCookie::new()
    }
    let default: Setting = |layer| layer;
    let goes_on: [(&str, Setting); 8] = [
        ("idle_timeout", |layer| layer.idle_timeout(minutes(5))),
        ("absolute_timeout", |layer| layer.absolute_timeout(minutes(60))),
        ("max_sessions_per_principal", |layer| layer.max_sessions_per_principal(1)),
        ("id_bytes", |layer| layer.id_bytes(32)),
        ("same_site", |layer| layer.cookie(cookie().same_site(session_axum::SameSite::Strict))),
        ("persistent", |layer| layer.persistent(true).absolute_timeout(minutes(600))),
        ("the default audience, said", |layer| layer.audience("sessid")),
        ("record_format", |layer| layer.record_format(session_axum::RecordFormat::V2)),
    ];
    for (change, after) in goes_on {
        assert_eq!(after_a_change(default, after).await, [StatusCode::OK; 2], "{change}");
        assert_eq!(after_a_change(after, default).await, [StatusCode::OK; 2], "{change}, undone");
    }
    let ends: [(&str, Setting); 7] = [
        ("name", |layer| layer.cookie(cookie().name("shop"))),
        ("name, same audience", |layer| layer.cookie(cookie().name("shop")).audience("sessid")),
        ("domain", |layer| layer.cookie(cookie().domain("shop.example"))),
        ("allow_http", |layer| layer.allow_http()),
        ("audience", |layer| layer.audience("shop")),
        ("signed", |layer| layer.cookie(cookie().signed([Key::from(&[1; 64])]))),
        ("private", |layer| layer.cookie(cookie().private([Key::from(&[1; 64])]))),
    ];
    for (change, after) in ends {
        assert_eq!(after_a_change(default, after).await, [StatusCode::UNAUTHORIZED, StatusCode::OK], "{change}");
    }
}

/// P88. A new id was offered, and the response that says so was lost: a process of another step gets the old id.
#[tokio::test]
async fn renewing_is_switched_on_and_off_with_a_grace_before_and_after_it() {
    let clock = Arc::new(ManualClock::default());
    let after_an_offer = async |setting: Setting| {
        let store = MemoryStore::new();
        let builder = || SessionLayer::builder(store.clone()).clock(Arc::clone(&clock));
        let renewing = app(builder().renew_every(minutes(1)).build().unwrap());
        let mut client = Client::new(&renewing);
        client.post("/login").await;
        clock.advance(minutes(2));
        let unanswered = client.clone();
        assert_eq!(client.get("/").await.set_cookies().len(), 1, "a new id is offered");
        let other = app(setting(builder()).build().unwrap());
        let old = unanswered.moved_to(&other).get("/").await.status;
        let new = client.moved_to(&other).get("/").await.status;
        // And back where ids are renewed.
        assert_eq!(client.get("/").await.status, StatusCode::OK);
        [old, new]
    };
    let with_grace: Setting = |layer| layer.renewal_grace(Duration::from_secs(10));
    assert_eq!(after_an_offer(with_grace).await, [StatusCode::OK; 2]);
    assert_eq!(after_an_offer(|layer| layer).await, [StatusCode::UNAUTHORIZED, StatusCode::OK]);
}

/// P88.
#[tokio::test]
async fn a_session_keeps_the_timeouts_with_which_it_was_started() {
    let store = MemoryStore::new();
    let old = SessionManager::new(store.clone());
    let new = SessionManager::builder(store).idle_timeout(minutes(5)).absolute_timeout(minutes(60)).build().unwrap();
    let id = old.create(NewSession::new()).await.unwrap().id();
    let kept = new.get(id.as_str()).await.unwrap().unwrap();
    assert_eq!(kept.idle_timeout(), minutes(30));
    assert_eq!(new.create(NewSession::new()).await.unwrap().idle_timeout(), minutes(5));
}

/// P88. The attributes of a later release are an error for an earlier one, and stay.
#[tokio::test]
async fn what_an_older_release_can_not_read_as_its_type_stays() {
    let sessions = SessionManager::new(MemoryStore::new());
    let id = sessions.create(NewSession::new().attr("Cart", &[("tea", 2)])).await.unwrap().id();
    let sess = sessions.get(id.as_str()).await.unwrap().unwrap();
    assert!(sess.attr::<Vec<String>>("Cart").is_err());
    sess.set_attr("Language", "en").unwrap();
    sess.save().await.unwrap();
    let sess = sessions.get(id.as_str()).await.unwrap().unwrap();
    assert_eq!(sess.attr::<Vec<(String, u32)>>("Cart").unwrap().unwrap(), [("tea".to_owned(), 2)]);
}

/// P89. Two processes, of which one is a step ahead.
#[tokio::test]
async fn keys_of_cookies_are_rotated_in_three_steps() {
    let (old, new) = (&[1; 64][..], &[2; 64][..]);
    let store = MemoryStore::new();
    let process = |used: &[u8], read: &[&[u8]]| {
        let layer = SessionLayer::builder(store.clone()).cookie(deployment::rotation::cookie(used, read));
        app(layer.build().unwrap())
    };
    let steps = [process(old, &[]), process(old, &[new]), process(new, &[old]), process(new, &[])];
    let mut client = Client::new(&steps[0]);
    client.post("/login").await;
    for step in [0, 1, 0, 1, 2, 1, 2, 3, 2, 3] {
        client = client.moved_to(&steps[step]);
        assert_eq!(client.get("/").await.status, StatusCode::OK, "at step {step}");
    }
    // Without the first step, whoever was at the newer process is signed out at the older one.
    let mut client = Client::new(&steps[2]);
    client.post("/login").await;
    assert_eq!(client.moved_to(&steps[0]).get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[cfg(feature = "sqlite")]
mod in_a_file {
    use session_axum::SqliteStore;

    use super::*;

    async fn count(sess: Session) -> Result<String, SessionError> {
        Ok(sess.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await?.to_string())
    }

    /// P89.
    #[tokio::test]
    async fn keys_of_records_are_rotated_in_three_steps() {
        let (old, new) = (&[1; 32], &[2; 32]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sessions.db");
        let process = async |used, read: &[&[u8; 32]]| {
            let store = SqliteStore::open(&file).await.unwrap().with_codec(deployment::rotation::codec(used, read));
            with_login(Router::new().route("/", post(count))).layer(SessionLayer::new(store))
        };
        let steps =
            [process(old, &[]).await, process(old, &[new]).await, process(new, &[old]).await, process(new, &[]).await];
        let mut client = Client::new(&steps[0]);
        client.post("/login").await;
        for (step, counted) in [0, 1, 0, 1, 2, 1, 2, 3, 2, 3].into_iter().zip(1..) {
            client = client.moved_to(&steps[step]);
            assert_eq!(client.post("/").await.body, counted.to_string(), "at step {step}");
        }
        assert_eq!(client.moved_to(&steps[0]).post("/").await.status, StatusCode::UNAUTHORIZED);
    }

    /// P90. A session that ended after the backup works again, until all are deleted as the guide says.
    #[tokio::test]
    async fn after_a_backup_was_restored_all_sessions_are_to_be_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let [file, backup] = ["sessions.db", "backup.db"].map(|name| folder.path().join(name));
        let sessions = async |file| SessionManager::new(SqliteStore::open(file).await.unwrap());
        let before = sessions(&file).await;
        let sess = before.create(NewSession::new().principal("ann")).await.unwrap();
        let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        sqlx::query("VACUUM INTO ?").bind(backup.to_str()).execute(&pool).await.unwrap();
        before.end(&sess.handle()).await.unwrap();
        let id = sess.id();
        assert!(before.get(id.as_str()).await.unwrap().is_none());

        let restored = sessions(&backup).await;
        assert!(restored.get(id.as_str()).await.unwrap().is_some());
        let guide = include_str!("../../../docs/guides/deployment.md");
        let delete = guide.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
        let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", backup.display())).await.unwrap();
        sqlx::raw_sql(delete).execute(&pool).await.unwrap();
        assert!(restored.get(id.as_str()).await.unwrap().is_none());
    }
}

/// P91. The printed SQL is all that a store needs.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn the_printed_schema_makes_the_tables() {
    use session_axum::PostgresStore;
    let Some(server) = workspace_tests::PostgresServer::start() else { return };
    let schema = deployment::schema::schema().unwrap();
    server.sql(&schema);
    server.sql(&schema);
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let sessions = SessionManager::new(PostgresStore::from_pool(pool));
    let id = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
    assert!(sessions.get(id.as_str()).await.unwrap().is_some());
}

/// P92. What is under way when the process is asked to stop is finished and saved.
#[tokio::test]
async fn a_graceful_stop_saves_what_is_under_way() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reach, wait) = (Arc::clone(&reached), Arc::clone(&go_on));
    let slow = async move |sess: Session| {
        sess.set_attr("Done", &true)?;
        reach.notify_one();
        wait.notified().await;
        Ok::<_, SessionError>("done")
    };
    let sessions = SessionManager::new(MemoryStore::new());
    let layer = SessionLayer::builder(sessions.clone()).allow_http().build().unwrap();
    let app = Router::new().route("/", post(slow)).layer(layer);
    let sess = sessions.create(NewSession::new()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ask, asked) = oneshot::channel::<()>();
    let running = tokio::spawn(deployment::stop::run(listener, app, sessions.clone(), async { asked.await.unwrap() }));

    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let head =
        format!("POST / HTTP/1.1\r\nhost: a\r\ncookie: sessid={}\r\nconnection: close\r\n\r\n", sess.id().as_str());
    connection.write_all(head.as_bytes()).await.unwrap();
    reached.notified().await;
    ask.send(()).unwrap();
    go_on.notify_one();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    running.await.unwrap().unwrap();
    let stored = sessions.get(sess.id().as_str()).await.unwrap().unwrap();
    assert_eq!(stored.attr::<bool>("Done").unwrap(), Some(true));
}

/// P92.
#[cfg(unix)]
#[tokio::test]
async fn a_stop_is_asked_for_by_sigterm() {
    let asked = deployment::sigterm::sigterm().unwrap();
    let kill = format!("kill -TERM {}", std::process::id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it has come");
}

/// P93.
#[tokio::test]
async fn the_page_for_monitoring_has_all_counters() {
    let sessions = SessionManager::new(MemoryStore::new());
    sessions.create(NewSession::new()).await.unwrap();
    sessions.get("no-id").await.unwrap();
    let page = Router::new().route("/metrics", get(deployment::metrics::metrics)).with_state(sessions.clone());
    let page = Client::new(&page).get("/metrics").await.body;
    for line in ["sessions_created_total 1", "sessions_rejected_ids_total 1", "sessions_store_errors_total 0"] {
        assert!(page.lines().any(|found| found == line), "{page}");
    }
    let counters = format!("{:?}", sessions.counters());
    for name in counters.split(['{', ',', '}']).filter_map(|field| field.trim().split_once(": ")).map(|(name, _)| name)
    {
        assert!(page.contains(&format!("sessions_{name}_total")), "{name} is missing");
    }
}

/// P94. A session ends earlier where the clock is ahead, and later where it is behind.
#[tokio::test]
async fn each_process_judges_by_its_own_clock() {
    let store = MemoryStore::new();
    let at = |ahead: Duration| {
        let clock = ManualClock::default();
        clock.advance(ahead);
        let clock = Arc::new(clock);
        let sessions = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        (sessions.build().unwrap(), clock)
    };
    let (right, clock) = at(minutes(2));
    let ((ahead, ahead_clock), (behind, behind_clock)) = (at(minutes(3)), at(minutes(1)));
    let id = right.create(NewSession::new()).await.unwrap().id();
    let pass = |time| [&clock, &ahead_clock, &behind_clock].map(|clock| clock.advance(time));
    let opens = async |sessions: &SessionManager| sessions.list(10).await.unwrap().len() == 1;
    pass(minutes(29));
    assert_eq!([opens(&right).await, opens(&ahead).await, opens(&behind).await], [true, false, true]);
    pass(minutes(1));
    assert_eq!([opens(&right).await, opens(&ahead).await, opens(&behind).await], [false, false, true]);
    pass(minutes(1));
    assert!(!opens(&behind).await);
    assert!(right.get(id.as_str()).await.unwrap().is_none());
}
