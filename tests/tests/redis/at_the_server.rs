//! What can be seen at the server: keys, values, expiry, round trips.

use session_core::{Created, Deleted, NewSession, PrincipalKey, Renewed, Saved, Store};
use session_stores::RedisStore;
use workspace_tests::records::*;
use workspace_tests::{Proxy, RedisCluster, RedisServer};

use crate::support::*;

/// A15, R26.
#[tokio::test]
async fn a_dump_of_everything_holds_no_id() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    let mut ids = Vec::new();
    for number in 0..20 {
        let session = sessions.create(NewSession::new().principal("ann").attr("Number", &number)).await.unwrap();
        ids.push(session.id());
        session.renew_id().unwrap();
        session.save().await.unwrap();
        ids.push(session.id());
    }
    let names = words(&server.ask(&["KEYS", "*"]));
    assert!(names.len() > 20, "{names:?}");
    let mut dump = names.join("\n");
    for name in &names {
        let ask = if name.contains("principal") { ["ZRANGE", name, "0", "-1"] } else { ["GETRANGE", name, "0", "-1"] };
        dump += &server.ask(&ask);
    }
    assert!(dump.contains("Number"), "the dump has the values");
    for id in ids {
        assert!(!dump.contains(id.as_str()));
    }
}

/// The principal's name is in the record, and nowhere else: a name of a key is seen by more people.
#[tokio::test]
async fn names_of_keys_tell_no_principal() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await.with_prefix("app:").unwrap();
    created(&store, signed_in("annabel")).await;
    let names = words(&server.ask(&["KEYS", "*"]));
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.starts_with("app:") && !name.contains("annabel")), "{names:?}");
}

#[tokio::test]
async fn load_save_touch_delete_and_renew_take_one_round_trip_each() {
    let Some(server) = RedisServer::start() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    // The first use of a script takes one more, to bring it to the server.
    let mut steps = [[0; 6]; 2];
    for steps in &mut steps {
        let record = signed_in("ann");
        let (saved, new) = (next(&record), renewed(&next(&record)));
        let mut before = proxy.round_trips();
        let mut step = || {
            let taken = proxy.round_trips() - before;
            before = proxy.round_trips();
            taken
        };
        *steps = [
            (store.create(&record).await.unwrap(), step()).1,
            (store.load(&record.key, now()).await.unwrap(), step()).1,
            (store.save(&saved, record.version).await.unwrap(), step()).1,
            (store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap(), step()).1,
            (store.renew(&record.key, saved.version, &new, None).await.unwrap(), step()).1,
            (store.delete(&new.key).await.unwrap(), step()).1,
        ];
    }
    assert_eq!(steps, [[2, 1, 2, 2, 2, 2], [1; 6]]);
}

/// Counted by the server: a request that changes a session costs one `GET` and one script.
#[tokio::test]
async fn a_changing_request_is_one_get_and_one_script() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    let session = sessions.create(NewSession::new()).await.unwrap();
    let visit = async || {
        let session = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        session.set_attr("Color", "blue").unwrap();
        session.save().await.unwrap();
    };
    visit().await;
    let before = (server.calls("get"), server.calls("evalsha"));
    for _ in 0..10 {
        visit().await;
    }
    assert_eq!((server.calls("get") - before.0, server.calls("evalsha") - before.1), (10, 10));
    assert!(server.calls("eval") <= 2, "each script was sent once");
}

/// B46.
#[tokio::test]
async fn expiry_follows_the_session_and_never_outlives_it() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let mut record = fresh_record();
    record.absolute_deadline = Some(record.created.saturating_add(40 * MINUTE));
    let record = created(&store, record).await;
    assert_eq!(minutes_left(&server), 30);
    store.touch(&record.key, record.accessed.saturating_add(25 * MINUTE)).await.unwrap();
    // 15 to the absolute deadline, 30 to the idle one.
    assert_eq!(minutes_left(&server), 15);
    let mut saved = next(&record);
    saved.idle_timeout = 5 * MINUTE;
    saved.accessed = record.accessed.saturating_add(30 * MINUTE);
    assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
    assert_eq!(minutes_left(&server), 5);
    let new = renewed(&saved);
    assert_eq!(store.renew(&record.key, saved.version, &new, None).await.unwrap(), Renewed::Done);
    assert_eq!(minutes_left(&server), 5);
}

/// How long the only key lives, rounded.
fn minutes_left(server: &RedisServer) -> u64 {
    let names = words(&server.ask(&["KEYS", "*"]));
    let [name] = &names[..] else { panic!("one key, not {names:?}") };
    let millis: u64 = server.ask(&["PTTL", name])[1..].lines().next().unwrap().parse().unwrap();
    // Some time has passed, and none was added.
    let minutes = millis.div_ceil(60_000);
    assert!(minutes * 60_000 - millis < 30_000, "{millis} ms");
    minutes
}

/// A clock of the application that is a year behind ends nothing early.
#[tokio::test]
async fn the_servers_clock_ends_nothing_early() {
    let Some(store) = single().await else { return };
    let mut record = fresh_record();
    for time in [&mut record.created, &mut record.accessed] {
        *time = time.saturating_sub(365 * 24 * 60 * MINUTE);
    }
    record.absolute_deadline = None;
    let record = created(&store, record).await;
    assert!(store.load(&record.key, record.accessed).await.unwrap().is_some());
}

/// B22, F14.
#[tokio::test]
async fn what_is_no_record_is_none_and_stays_as_it_is() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let live = created(&store, fresh_record()).await;
    let name = |key: &session_core::RecordKey| format!("session:{key}");
    // Garbage, a truncated record, an unknown kind, another record's bytes, and something that is
    // no string at all.
    let keys: Vec<_> = (0..5).map(|_| fresh_key()).collect();
    server.ask(&["SET", &name(&keys[0]), "garbage"]);
    server.ask(&["SET", &name(&keys[1]), "S234"]);
    server.ask(&["SET", &name(&keys[2]), &"Z".repeat(200)]);
    server.ask(&["COPY", &name(&live.key), &name(&keys[3])]);
    server.ask(&["LPUSH", &name(&keys[4]), "list"]);
    for key in &keys {
        let before = server.ask(&["DUMP", &name(key)]);
        assert_eq!(load(&store, key).await, None);
        let other = with(fresh_record(), |record| record.key = *key);
        assert_eq!(store.create(&other).await.unwrap(), Created::Exists);
        if key != &keys[3] && key != &keys[4] {
            assert_eq!(store.save(&next(&other), other.version).await.unwrap(), Saved::Missing);
            store.touch(key, now().saturating_add(MINUTE)).await.unwrap();
        }
        assert_eq!(server.ask(&["DUMP", &name(key)]), before);
    }
    assert_eq!(store.list(now(), 100).await.unwrap(), [live]);
}

/// S15: keys of another type where records and indexes belong, which another program has put there.
#[tokio::test]
async fn keys_of_another_type_cost_themselves_and_nobody_else() {
    let (Some(server), Some(cluster)) = (RedisServer::start(), RedisCluster::start()) else { return };
    let single = connect(&server).await;
    costs_itself(&single, "session:", &[&server]).await;
    let servers: Vec<&RedisServer> = cluster.servers.iter().collect();
    costs_itself(&connect_cluster(&cluster).await, "session:", &servers).await;
    costs_itself(&connect_cluster(&cluster).await.with_prefix("{tag}:").unwrap(), "{tag}:", &servers).await;
}

async fn costs_itself(store: &RedisStore, prefix: &str, servers: &[&RedisServer]) {
    // At whichever server has the slot.
    let ask = |words: &[&str]| {
        let answers = servers.iter().map(|server| server.ask(words));
        answers.into_iter().find(|answer| !answer.starts_with("-MOVED")).expect("somebody has it")
    };
    created(store, signed_in("ann")).await;
    let name = |key: &session_core::RecordKey| format!("{prefix}{key}");
    let keys: Vec<_> = (0..4).map(|_| fresh_key()).collect();
    let index = format!("{prefix}principal:{}", "0a".repeat(32));
    let mut names: Vec<String> = keys.iter().map(name).collect();
    let foreign: [&[&str]; 5] = [
        &["RPUSH", &names[0], "a"],
        &["HSET", &names[1], "a", "b"],
        &["ZADD", &names[2], "1", "a"],
        &["XADD", &names[3], "*", "a", "b"],
        &["SET", &index, "a"],
    ];
    for words in foreign {
        assert!(!ask(words).starts_with('-'));
    }
    names.push(index);
    let dump = || names.iter().map(|name| ask(&["DUMP", name])).collect::<Vec<_>>();
    let before = dump();

    // Whoever presents such an id has no session, and no error.
    for key in &keys {
        let other = with(fresh_record(), |record| record.key = *key);
        let new = renewed(&other);
        assert_eq!(load(store, key).await, None);
        assert_eq!(moved(store, key).await, None);
        assert_eq!(store.follow(key, now()).await.unwrap(), None);
        assert_eq!(store.version(key, now()).await.unwrap(), None);
        assert_eq!(store.create(&other).await.unwrap(), Created::Exists);
        assert_eq!(store.save(&next(&other), other.version).await.unwrap(), Saved::Missing);
        assert_eq!(renew(store, &other, &new).await.unwrap(), Renewed::Missing);
        store.touch(key, now().saturating_add(MINUTE)).await.unwrap();
        assert_eq!(store.delete(key).await.unwrap(), Deleted::Missing);
        assert_eq!(store.end(key).await.unwrap(), None);
    }
    // Lists and sweeps go on: what has expired is deleted, and what is gone leaves the index.
    let gone = created(store, signed_in("bob")).await;
    ask(&["DEL", &name(&gone.key)]);
    let expired = created(store, signed_in("eve")).await;
    assert_eq!(store.list(now(), 100).await.unwrap().len(), 2);
    let (later, mut purged) = (expired.expires_at(), 0);
    loop {
        let step = store.purge_expired(later, 100).await.unwrap();
        purged += step.expired;
        if !step.more {
            break;
        }
    }
    assert_eq!(purged, 2, "both have expired by then");
    assert_eq!(store.list(now(), 100).await.unwrap(), []);
    assert_eq!(dump(), before);
    // A renewal that was refused keeps its key for a minute, but no index.
    let indexes = format!("{prefix}principal:*");
    let left: usize = servers.iter().map(|server| words(&server.ask(&["KEYS", &indexes])).len()).sum();
    assert_eq!(left, 1, "the foreign one");
}

#[tokio::test]
async fn a_version_is_what_a_load_would_give() {
    let (Some(single), Some(cluster)) = (single().await, cluster().await) else { return };
    for store in [single, cluster] {
        let record = created(&store, signed_in("ann")).await;
        let (saved, end) = (next(&record), record.expires_at());
        let just_before = end.saturating_sub(std::time::Duration::from_millis(1));
        assert_eq!(store.version(&record.key, just_before).await.unwrap(), Some(record.version));
        assert_eq!(store.version(&record.key, end).await.unwrap(), None);
        assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
        assert_eq!(store.version(&record.key, now()).await.unwrap(), Some(saved.version));
        let new = renewed(&saved);
        assert_eq!(store.renew(&record.key, saved.version, &new, None).await.unwrap(), Renewed::Done);
        assert_eq!(store.version(&record.key, now()).await.unwrap(), None);
        assert_eq!(store.version(&new.key, now()).await.unwrap(), Some(new.version));
        assert_eq!(store.version(&fresh_key(), now()).await.unwrap(), None);
    }
}

/// B31: an index names nobody once its last session is gone, however that went.
#[tokio::test]
async fn the_index_leaves_nothing_behind() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, signed_in("ann")).await;
    let new = renewed(&record);
    assert_eq!(store.renew(&record.key, record.version, &new, None).await.unwrap(), Renewed::Done);
    store.delete(&new.key).await.unwrap();
    assert_eq!(words(&server.ask(&["KEYS", "*"])), [""; 0]);

    // Gone by itself: whoever reads the index cleans it, and so does purging.
    for read in [true, false] {
        let record = created(&store, signed_in("ann")).await;
        server.ask(&["DEL", &format!("session:{}", record.key)]);
        assert_eq!(words(&server.ask(&["KEYS", "*"])).len(), 1);
        if read {
            assert_eq!(store.of_principal(&PrincipalKey::of("ann"), now()).await.unwrap(), []);
        } else {
            assert!(!store.purge_expired(now(), 100).await.unwrap().more);
        }
        assert_eq!(words(&server.ask(&["KEYS", "*"])), [""; 0]);
    }
}

#[tokio::test]
async fn the_index_lives_as_long_as_a_session_may() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let days_left = || {
        let names = words(&server.ask(&["KEYS", "*principal*"]));
        let seconds: i64 = server.ask(&["TTL", &names[0]])[1..].lines().next().unwrap().parse().unwrap();
        if seconds < 0 { None } else { Some(seconds / 86_400) }
    };
    created(&store, signed_in("ann")).await;
    assert_eq!(days_left(), Some(1));
    let mut longer = signed_in("ann");
    longer.absolute_deadline = Some(longer.created.saturating_add(30 * 24 * 60 * MINUTE));
    created(&store, longer).await;
    assert_eq!(days_left(), Some(30));
    created(&store, signed_in("ann")).await;
    assert_eq!(days_left(), Some(30));
    let mut forever = signed_in("ann");
    forever.absolute_deadline = None;
    created(&store, forever).await;
    assert_eq!(days_left(), None);
    created(&store, signed_in("ann")).await;
    assert_eq!(days_left(), None);
    assert_eq!(store.of_principal(&PrincipalKey::of("ann"), now()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn prefixes_keep_applications_apart() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let (here, there) = (store.clone().with_prefix("a[*]:").unwrap(), store.with_prefix("a*:").unwrap());
    let record = created(&here, signed_in("ann")).await;
    assert_eq!(load(&there, &record.key).await, None);
    assert_eq!(there.list(now(), 10).await.unwrap(), []);
    assert_eq!(there.of_principal(&PrincipalKey::of("ann"), now()).await.unwrap(), []);
    assert_eq!(here.list(now(), 10).await.unwrap(), [record]);
}

/// R27.
#[tokio::test]
async fn records_can_be_encrypted() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let sealed = store.clone().with_codec(session_core::EncryptedCodec::new(&[7; 32]));
    let record = created(&sealed, signed_in("annabel")).await;
    assert!(!server.ask(&["GETRANGE", &format!("session:{}", record.key), "0", "-1"]).contains("annabel"));
    assert_eq!(load(&sealed, &record.key).await, Some(record.clone()));
    assert_eq!(load(&store, &record.key).await, None, "not without the key");
}

#[tokio::test]
async fn resp3_where_offered_and_resp2_elsewhere() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    assert!(server.ask(&["CLIENT", "LIST"]).contains("resp=3"));
    drop(store);
    // A server without RESP3 does not know `HELLO`.
    let Some(older) = RedisServer::start_with(&["--save", "", "--rename-command", "HELLO", ""]) else { return };
    let store = connect(&older).await;
    let record = created(&store, fresh_record()).await;
    assert_eq!(load(&store, &record.key).await, Some(record));
}

#[tokio::test]
async fn the_applications_own_client_connects_when_it_is_used() {
    let Some(mut server) = RedisServer::start() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    server.kill();
    let store = RedisStore::from_client(client);
    assert!(store.load(&fresh_key(), now()).await.unwrap_err().is_unavailable());
    server.restart();
    let up = std::time::Instant::now();
    while store.load(&fresh_key(), now()).await.is_err() {
        assert!(up.elapsed() < SECOND);
    }
    assert!(server.ask(&["CLIENT", "LIST"]).contains("resp=2"), "as the client was told");
}

#[tokio::test]
async fn a_wrong_address_is_one_error_at_once() {
    let error = RedisStore::connect("redis://127.0.0.1:1/").await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let error = RedisStore::connect("http://127.0.0.1/").await.unwrap_err();
    assert!(!error.is_unavailable(), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = RedisServer::start_with(&["--save", "", "--requirepass", "right"]) else { return };
    let right = server.url().replace("redis://", "redis://:right@");
    assert!(RedisStore::connect(&right).await.is_ok());
    let error = RedisStore::connect(&server.url().replace("redis://", "redis://:wrong-one@")).await.unwrap_err();
    assert!(!error.is_unavailable(), "{error}");
    assert!(!format!("{error:?}").contains("wrong-one"));
}

#[tokio::test]
async fn errors_say_whether_trying_again_helps() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    // A replica takes no writes; its clients find the master when they connect again.
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(store.save(&next(&record), record.version).await.unwrap_err().is_unavailable());
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    // Room may be made; and one record that is refused would be another thing for who writes behind.
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = store.save(&next(&record), record.version).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    // Ending sessions goes on where memory is short.
    store.delete(&record.key).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(load(&store, &record.key).await, None);
}

#[tokio::test]
async fn scripts_come_back_after_a_flush_and_records_do_not() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    server.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Done);
    server.ask(&["FLUSHALL"]);
    assert_eq!(load(&store, &record.key).await, None);
    assert_eq!(store.save(&next(&next(&record)), next(&record).version).await.unwrap(), Saved::Missing);
    store.touch(&record.key, now()).await.unwrap();
    assert_eq!(words(&server.ask(&["KEYS", "*"])), [""; 0]);
}

/// The compiler gives up on futures that nest too deeply, which is for an application to see only
/// if we don't.
#[tokio::test]
async fn tasks_of_applications_compile() {
    let Some(server) = RedisServer::start() else { return };
    let url = server.url();
    let using = async move {
        let _ = RedisStore::cluster(["redis://127.0.0.1:1/"]).await.is_err();
        let _ = RedisStore::sentinel(["redis://127.0.0.1:1/"], "nobody").await.is_err();
        let _ = session_stores::TrackedRedisStore::connect("redis://127.0.0.1:1/").await.is_err();
        let store = RedisStore::connect(&url).await.unwrap();
        let record = created(&store, signed_in("ann")).await;
        store.purge_expired(now(), 10).await.unwrap();
        let found = store.of_principal(&PrincipalKey::of("ann"), now()).await.unwrap().len();
        found + store.list(now(), 10).await.unwrap().len() + usize::from(load(&store, &record.key).await.is_some())
    };
    let task = tokio::spawn(async move { using.await + 1 });
    assert_eq!(task.await.unwrap(), 4);
}

/// A9: strangers leave nothing.
#[tokio::test]
async fn unknown_ids_make_no_records() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    for _ in 0..campaign(1000) {
        let id = session_core::SessionId::generate(&session_core::SystemRandom, 18).unwrap();
        assert!(sessions.get(id.as_str()).await.unwrap().is_none());
    }
    assert_eq!(words(&server.ask(&["KEYS", "*"])), [""; 0]);
}

/// The words of an array as it comes over the wire.
fn words(reply: &str) -> Vec<String> {
    let lines = reply.lines().filter(|line| !line.starts_with(['*', '$', '+']));
    lines.map(ToOwned::to_owned).collect()
}
