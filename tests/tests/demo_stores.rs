//! The demo on stores that outlive it, and that others share.

#![cfg(all(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]

use tempfile::TempDir;
use workspace_tests::{Authority, Demo, DemoVisitor, MemcachedServer, PostgresServer, RedisServer};

#[track_caller]
fn assert_count(answer: &str, visits: u32) {
    let expected = format!("Since login you visited {visits} time{}!", if visits == 1 { "" } else { "s" });
    assert!(answer.contains("Hello ann!") && answer.contains(&expected), "{answer}");
}

#[track_caller]
fn assert_login_form(answer: &str) {
    assert!(answer.starts_with("HTTP/1.0 200") && answer.contains("name=\"Password\""), "{answer}");
}

#[track_caller]
fn assert_asks_to_try_again(answer: &str) {
    assert!(answer.starts_with("HTTP/1.0 503") && answer.contains("Please try again."), "{answer}");
    assert!(!answer.contains("set-cookie"), "{answer}");
}

#[track_caller]
fn assert_survives_a_restart(options: &[&str]) {
    assert_survives_a_restart_with(&[], options);
}

#[track_caller]
fn assert_survives_a_restart_with(environment: &[&str], options: &[&str]) {
    let mut ann = DemoVisitor::default();
    let start = || Demo::start_with(environment, options);
    let demo = start();
    assert_count(&ann.log_in(&demo, "ann"), 1);
    assert_count(&ann.visit(&demo), 2);
    drop(demo);
    let demo = start();
    assert_count(&ann.visit(&demo), 3);
    ann.log_out(&demo);
    assert_login_form(&ann.visit(&demo));
}

#[test]
fn a_login_on_sqlite_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let store = format!("sqlite:{}", folder.path().join("demo.db").display());
    assert_survives_a_restart(&["--store", &store]);
    assert_survives_a_restart(&["--store", &store, "--fast", "memory"]);
}

#[test]
fn a_login_on_postgres_survives_a_kill() {
    let Some(server) = PostgresServer::start() else { return };
    assert_survives_a_restart(&["--store", &server.url()]);
}

/// On the emulator, whose address the demo takes from the environment as every client of Google's does.
#[cfg(feature = "firestore")]
#[test]
fn a_login_on_firestore_survives_a_kill() {
    let Some(emulator) = workspace_tests::FirestoreEmulator::start() else { return };
    let address = format!("FIRESTORE_EMULATOR_HOST={}", emulator.addr());
    assert_survives_a_restart_with(&[&address], &["--store", "firestore:tests"]);
}

fn assert_two_demos_share_a_login(options: &[&str]) {
    let (first, second) = (Demo::start(options), Demo::start(options));
    let mut ann = DemoVisitor::default();
    assert_count(&ann.log_in(&first, "ann"), 1);
    for visits in (2..12).step_by(2) {
        assert_count(&ann.visit(&second), visits);
        assert_count(&ann.visit(&first), visits + 1);
    }
    let mut thief = ann.clone();
    ann.log_out(&second);
    assert_login_form(&thief.visit(&first));
    assert_login_form(&thief.visit(&second));
}

#[test]
fn two_demos_with_one_redis_share_login_and_count() {
    let Some(server) = RedisServer::start() else { return };
    assert_two_demos_share_a_login(&["--store", &server.url()]);
}

#[test]
fn two_demos_with_memory_before_one_redis_share_login_and_count() {
    let Some(server) = RedisServer::start() else { return };
    assert_two_demos_share_a_login(&["--store", &server.url(), "--fast", "memory"]);
}

#[test]
fn two_demos_with_redis_before_one_sqlite_share_login_and_count() {
    let Some(server) = RedisServer::start() else { return };
    let folder = TempDir::new().unwrap();
    let store = format!("sqlite:{}", folder.path().join("demo.db").display());
    assert_two_demos_share_a_login(&["--store", &store, "--fast", &server.url()]);
}

#[test]
fn two_demos_with_one_memcached_share_login_and_count() {
    let Some(server) = MemcachedServer::start() else { return };
    assert_two_demos_share_a_login(&["--store", &server.url()]);
}

#[test]
fn two_demos_that_write_behind_share_login_and_count() {
    let (Some(redis), Some(memcached)) = (RedisServer::start(), MemcachedServer::start()) else { return };
    let folder = TempDir::new().unwrap();
    let store = format!("sqlite:{}", folder.path().join("demo.db").display());
    for fast in [redis.url(), memcached.url()] {
        assert_two_demos_share_a_login(&["--store", &store, "--fast", &fast, "--write-behind"]);
    }
}

#[test]
fn a_store_that_goes_away_is_said_and_the_demo_recovers() {
    let Some(mut server) = RedisServer::start_durable() else { return };
    for options in [&["--store", &server.url()][..], &["--store", &server.url(), "--fast", "memory"]] {
        let demo = Demo::start(options);
        let mut ann = DemoVisitor::default();
        assert_count(&ann.log_in(&demo, "ann"), 1);
        server.kill();
        assert_asks_to_try_again(&ann.visit(&demo));
        assert_asks_to_try_again(&ann.log_out(&demo));
        assert_login_form(&DemoVisitor::default().visit(&demo));
        server.restart();
        assert_count(&ann.visit(&demo), 2);
    }
}

/// S30.
#[test]
fn a_login_on_postgres_with_tls_survives_a_kill() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(mut server) = PostgresServer::start() else { return };
    server.use_certificate(&authority.certify(&["localhost"]));
    server.require_tls(None);
    let store = |authority: &Authority| {
        let (port, file) = (server.addr().port(), authority.file());
        format!("postgres://postgres@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={file}")
    };
    assert_survives_a_restart(&["--store", &store(&authority)]);
    let said = Demo::refusal(&["--store", &store(&other)]);
    assert!(said.contains("from an authority that is not trusted"), "{said}");
}

/// S30.
#[test]
fn two_demos_with_one_redis_with_tls_share_login_and_count() {
    let (authority, other) = (Authority::new(), Authority::new());
    let certificate = authority.certify(&["localhost"]);
    let Some(server) = RedisServer::start_encrypted(&certificate, &authority, &[]) else { return };
    let store = |authority: &Authority| {
        format!("rediss://localhost:{}/?sslrootcert={}", server.encrypted_port(), authority.file())
    };
    assert_two_demos_share_a_login(&["--store", &store(&authority)]);
    assert_two_demos_share_a_login(&["--store", &store(&authority), "--fast", "memory"]);
    let folder = TempDir::new().unwrap();
    let durable = format!("sqlite:{}", folder.path().join("demo.db").display());
    assert_two_demos_share_a_login(&["--store", &durable, "--fast", &store(&authority)]);
    let said = Demo::refusal(&["--store", &store(&other)]);
    assert!(said.contains("from an authority that is not trusted"), "{said}");
}

/// S34. Nobody is asked over the network: the tokens are to come from a port of this machine where nobody listens.
#[cfg(feature = "firestore")]
#[test]
fn a_demo_on_firestore_without_a_provider_of_cryptography_says_that_nobody_listens() {
    if !workspace_tests::is_installed("openssl") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (key, account) = (folder.path().join("key.pem"), folder.path().join("account.json"));
    let mut command = std::process::Command::new("openssl");
    let made = command.args(["genpkey", "-quiet", "-algorithm", "RSA", "-out"]).arg(&key).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let json = serde_json::json!({
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "1",
        "private_key": std::fs::read_to_string(&key).unwrap(),
        "client_email": "tests@tests.example",
        "client_id": "1",
        "token_uri": "https://127.0.0.1:1/token",
    });
    std::fs::write(&account, json.to_string()).unwrap();
    let credentials = format!("GOOGLE_APPLICATION_CREDENTIALS={}", account.display());
    let said = Demo::refusal_with(&[&credentials], &["--store", "firestore:tests"]);
    assert!(said.contains("can't open --store") && !said.contains("panicked"), "{said}");
}

/// A password that the demo was given for its store, in whatever it says.
#[track_caller]
fn assert_tells_no_password(said: &str, expected: &str) {
    assert!(said.contains(expected), "{expected:?} is missing: {said}");
    assert!(!said.contains("marker"), "a password is told: {said}");
}

/// R52.
#[test]
fn no_password_is_told_when_a_server_refuses_it() {
    let (Some(redis), Some(postgres)) = (RedisServer::start_with(&["--requirepass", "right"]), PostgresServer::start())
    else {
        return;
    };
    let (redis, postgres) = (redis.addr(), postgres.addr());
    let folder = TempDir::new().unwrap();
    let durable = format!("sqlite:{}", folder.path().join("demo.db").display());
    for address in [format!("redis://:marker@{redis}/"), format!("redis://ann:marker@{redis}/")] {
        assert_tells_no_password(&Demo::refusal(&["--store", &address]), "--store");
        assert_tells_no_password(&Demo::refusal(&["--store", &address, "--fast", "memory"]), "--store");
        assert_tells_no_password(&Demo::refusal(&["--store", &durable, "--fast", &address]), "--fast");
    }
    for address in [
        format!("postgres://ann:marker@{postgres}/postgres"),
        format!("postgres://{postgres}/postgres?user=ann&password=marker"),
    ] {
        assert_tells_no_password(&Demo::refusal(&["--store", &address]), "role \"ann\" does not exist");
    }
}

/// R52.
#[test]
fn no_password_is_told_when_a_server_goes_away() {
    let (Some(mut redis), Some(mut postgres)) =
        (RedisServer::start_with(&["--requirepass", "marker"]), PostgresServer::start())
    else {
        return;
    };
    let redis_address = format!("redis://:marker@{}/", redis.addr());
    let postgres_address = format!("postgres://postgres:marker@{}/postgres", postgres.addr());
    let demos = [
        Demo::start(&["--store", &redis_address]),
        Demo::start(&["--store", &redis_address, "--fast", "memory"]),
        Demo::start(&["--store", &postgres_address]),
        Demo::start(&["--store", &postgres_address, "--fast", &redis_address]),
    ];
    let mut visitors = demos.each_ref().map(|_| DemoVisitor::default());
    for (demo, ann) in demos.iter().zip(&mut visitors) {
        assert_count(&ann.log_in(demo, "ann"), 1);
    }
    redis.kill();
    postgres.kill();
    for (demo, ann) in demos.iter().zip(&mut visitors) {
        assert_asks_to_try_again(&ann.visit(demo));
        assert_tells_no_password(&demo.printed(), "not available");
    }
}
