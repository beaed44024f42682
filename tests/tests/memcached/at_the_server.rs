//! What can be seen at the server: keys, values, expiry, round trips, limits.

use std::time::Duration;

use session_core::{Created, FastStore, NewSession, Record, RecordKey, Renewed, Saved, Store};
use session_stores::MemcachedStore;
use workspace_tests::MemcachedServer;
use workspace_tests::calls;
use workspace_tests::records::*;

use crate::support::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A15, B35: what an attacker reads in memcached opens no session.
#[tokio::test]
async fn a_dump_of_everything_holds_no_id() {
    let Some(server) = MemcachedServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    let mut ids = Vec::new();
    for number in 0..20 {
        let session = sessions.create(NewSession::new().principal("ann").attr("Number", &number)).await.unwrap();
        ids.push(session.id());
        session.renew_id().unwrap();
        session.save().await.unwrap();
        ids.push(session.id());
    }
    let keys = server.keys();
    assert_eq!(keys.len(), 40, "a record and a moved note each: {keys:?}");
    let mut dump = keys.join("\n");
    for key in &keys {
        dump += &server.ask(&format!("get {key}"));
    }
    assert!(dump.contains("Number"), "the dump has the values");
    for id in ids {
        assert!(!dump.contains(id.as_str()));
    }
}

/// A25, R5, B33: the server never sees an id that a client made up.
#[tokio::test]
async fn hostile_ids_never_reach_the_server() {
    let Some((server, proxy, store)) = behind_proxy().await else { return };
    let sessions = manager(&store);
    sessions.create(NewSession::new()).await.unwrap();
    let (before, long) = (proxy.round_trips(), "a".repeat(251));
    let hostile = [
        "a b c d e f g h i j k l m n",
        "aaaaaaaaaaaaaaaaaaaaaaaa\r\nflush_all\r\n",
        "\0aaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaa\nmd x",
        "ääääääääääääääääääääääää",
        &long,
        &long[..250],
    ];
    for id in hostile {
        assert!(sessions.get(id).await.unwrap().is_none());
    }
    assert_eq!(proxy.round_trips(), before);
    // Of ids in the right form, however chosen, only the hash does.
    for id in ["flush_all_flush_all_flus", "________________________", "------------------------"] {
        assert!(sessions.get(id).await.unwrap().is_none());
    }
    assert!(proxy.round_trips() > before);
    assert!(server.ask("stats").contains("STAT cmd_flush 0\r\n"));
    // A new connection may just be asking whether there is compare and swap.
    let keys: Vec<String> = server.keys().into_iter().filter(|key| key != "sess_greeting").collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

/// A25: whatever 32 bytes a key has, it is one word of at most 250 characters.
#[tokio::test]
async fn every_key_is_a_name_that_memcached_takes() {
    let Some(server) = MemcachedServer::start() else { return };
    let longest = "p".repeat(200);
    let store = connect(&server).await.with_prefix(&longest).unwrap();
    for byte in 0..=255 {
        let record =
            created(&store, with(fresh_record(), |record| record.key = RecordKey::from_bytes([byte; 32]))).await;
        assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
    }
    assert_eq!(server.keys().len(), 256);
    assert!(server.keys().iter().all(|key| key.starts_with(&longest) && key.len() <= 250));
}

#[tokio::test]
async fn prefixes_that_make_no_key_are_refused() {
    let Some(store) = store().await else { return };
    for prefix in ["with space", "new\r\nline", "nul\0", "ünicode", &"p".repeat(201)] {
        assert!(store.clone().with_prefix(prefix).is_err(), "{prefix:?}");
    }
    let record = created(&store.clone().with_prefix("other:").unwrap(), fresh_record()).await;
    assert_eq!(load(&store, &record.key).await, None, "another application's");
}

/// A9: reading, touching and saving unknown sessions leaves nothing.
#[tokio::test]
async fn strangers_leave_nothing_behind() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let items = || server.ask("stats").lines().find(|line| line.starts_with("STAT total_items")).map(str::to_owned);
    let before = items();
    assert!(before.is_some());
    for _ in 0..campaign(200) {
        let record = fresh_record();
        assert_eq!(load(&store, &record.key).await, None);
        store.touch(&record.key, now()).await.unwrap();
        store.delete(&record.key).await.unwrap();
        assert_eq!(store.save(&record, record.version).await.unwrap(), Saved::Missing);
        assert_eq!(renew(&store, &record, &renewed(&record)).await.unwrap(), Renewed::Missing);
    }
    assert_eq!(items(), before);
}

/// Nor does a session's whole life.
#[tokio::test]
async fn renewing_and_deleting_leave_nothing_behind() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let mut record = created(&store, fresh_record()).await;
    for _ in 0..3 {
        let new = renewed(&record);
        assert_eq!(store.renew(&record.key, record.version, &new, None).await.unwrap(), Renewed::Done);
        assert_eq!(server.keys(), [name(&new.key)]);
        record = new;
    }
    store.delete(&record.key).await.unwrap();
    assert!(server.ask("stats").contains("STAT curr_items 0\r\n"));
}

/// A note is kept until it may no longer be followed, and a login leaves none.
#[tokio::test]
async fn a_moved_note_goes_in_its_time() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
    assert_eq!(moved(&store, &record.key).await, Some(new.key));
    // As a tombstone, it must not go early.
    assert!((60..=63).contains(&seconds_left(&server, &record)), "{}", seconds_left(&server, &record));
    let login = renewed(&new);
    assert_eq!(store.renew(&new.key, new.version, &login, None).await.unwrap(), Renewed::Done);
    assert!(server.ask(&format!("mg {} t", name(&new.key))).starts_with("EN"));
    assert_eq!(store.end(&record.key).await.unwrap(), None, "a login is another session");
    assert_eq!(load(&store, &login.key).await, Some(login));
}

#[tokio::test]
async fn a_load_is_one_round_trip_and_a_save_of_what_was_loaded_too() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let record = fresh_record();
    let saved = next(&record);
    let again = next(&saved);
    let new = renewed(&again);
    let mut step = calls::of_a_step(|| proxy.round_trips());
    let steps = [
        (store.create(&record).await.unwrap(), step()).1,
        (store.load(&record.key, now()).await.unwrap(), step()).1,
        (store.save(&saved, record.version).await.unwrap(), step()).1,
        (store.save(&again, saved.version).await.unwrap(), step()).1,
        (store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap(), step()).1,
        (store.touch(&record.key, now()).await.unwrap(), step()).1,
        (store.load(&record.key, now()).await.unwrap(), step()).1,
        (store.renew(&record.key, again.version, &new, None).await.unwrap(), step()).1,
        (store.load(&new.key, now()).await.unwrap(), step()).1,
        (store.delete(&new.key).await.unwrap(), step()).1,
    ];
    assert_eq!(steps, [1, 1, 1, 1, 2, 1, 1, 4, 1, 1]);
}

#[tokio::test]
async fn a_request_that_reads_takes_one_round_trip_and_one_that_changes_two() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    calls::a_change_takes_two_calls(&store, || proxy.round_trips()).await;
}

#[tokio::test]
async fn what_changed_since_it_was_loaded_is_read_again() {
    let Some((server, proxy, store)) = behind_proxy().await else { return };
    let other = connect(&server).await;
    calls::what_changed_since_it_was_loaded_is_read_again(&store, &other, || proxy.round_trips()).await;
}

/// Memcached's numbers begin anew when it is restarted, and the same one then means another state.
#[tokio::test]
async fn a_number_from_before_a_restart_matches_nothing() {
    let Some(mut server) = MemcachedServer::start() else { return };
    let number = |server: &MemcachedServer, key: &RecordKey| server.ask(&format!("mg {} c", name(key)));
    let records = [fresh_record(), fresh_record(), fresh_record(), fresh_record()];
    let store = connect(&server).await;
    for record in &records {
        created(&store, record.clone()).await;
        assert!(load(&store, &record.key).await.is_some());
    }
    let numbers = records.clone().map(|record| number(&server, &record.key));
    server.restart();

    // Another process fills in what was saved elsewhere meanwhile.
    let other = connect(&server).await;
    let newer = records.each_ref().map(next);
    for record in &newer {
        other.fill(record, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    }
    assert_eq!(records.clone().map(|record| number(&server, &record.key)), numbers, "the numbers coincide");

    // So that the store knows nothing by its connection having been broken.
    assert!(store.load(&fresh_key(), now()).await.unwrap_err().is_unavailable());
    assert_eq!(load(&store, &fresh_key()).await, None);
    let [saved, renewed_away, deleted, touched] = &records;
    assert_eq!(store.save(&next(saved), saved.version).await.unwrap(), Saved::Conflict);
    let renewing = renew(&store, renewed_away, &renewed(renewed_away)).await;
    assert_eq!(renewing.unwrap(), Renewed::Conflict);
    for record in [&newer[0], &newer[1]] {
        assert_eq!(load(&store, &record.key).await.as_ref(), Some(record));
    }
    // These are to have their effect on whatever is there.
    store.delete(&deleted.key).await.unwrap();
    assert_eq!(load(&store, &deleted.key).await, None);
    let used = now().saturating_add(MINUTE);
    store.touch(&touched.key, used).await.unwrap();
    assert_eq!(load(&store, &touched.key).await, Some(with(newer[3].clone(), |record| record.accessed = used)));
}

/// B46: memcached forgets a session at most three seconds after it has ended, and never before.
#[tokio::test]
async fn the_expiry_is_what_is_left_and_no_less() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let seconds_left = |record: &Record| seconds_left(&server, record);

    let record = created(&store, fresh_record()).await;
    assert!((1801..=1803).contains(&seconds_left(&record)), "{}", seconds_left(&record));
    store.touch(&record.key, now().saturating_add(10 * MINUTE)).await.unwrap();
    assert!((1801..=1803).contains(&seconds_left(&record)), "a touch begins anew");
    let longer = with(next(&record), |record| record.idle_timeout = 60 * MINUTE);
    assert_eq!(store.save(&longer, record.version).await.unwrap(), Saved::Done);
    assert!((4201..=4203).contains(&seconds_left(&record)), "a save with another timeout too");

    let mut late = fresh_record();
    late.absolute_deadline = Some(now().saturating_add(5 * MINUTE));
    let late = created(&store, late).await;
    assert!((301..=303).contains(&seconds_left(&late)), "the earlier deadline counts");
}

/// Memcached takes more than thirty days for a date, so an item that lives longer has no expiry until a later write.
#[tokio::test]
async fn a_session_of_more_than_thirty_days_is_kept() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    for days in [29, 30, 31, 400] {
        let timeout = days * DAY;
        let record = with(fresh_record(), |record| {
            record.idle_timeout = timeout;
            record.absolute_deadline = None;
        });
        let record = created(&store, record).await;
        assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record), "{days} days");
        let left = seconds_left(&server, &record);
        let late = left - timeout.as_secs() as i64;
        assert_eq!(left == -1, days >= 30, "{days} days, {left} s");
        assert!(left == -1 || (1..=3).contains(&late), "{days} days, {late} s late");

        let shorter = with(next(&record), |record| record.idle_timeout = 29 * DAY);
        assert_eq!(store.save(&shorter, record.version).await.unwrap(), Saved::Done);
        assert!((1..=3).contains(&(seconds_left(&server, &record) - 29 * DAY.as_secs() as i64)), "{days} days");
    }
}

/// F13: the error names the way out, and the stored session is as it was.
#[tokio::test]
async fn a_session_larger_than_an_item_is_refused_and_unharmed() {
    let Some(store) = store().await else { return };
    let record = created(&store, fresh_record()).await;
    let text = "x".repeat(MemcachedStore::DEFAULT_MAX_ITEM_BYTES - 100);
    let large = with(next(&record), |record| record.attributes = attributes("Text", text));
    let error = store.save(&large, record.version).await.unwrap_err();
    assert!(!error.is_unavailable());
    let cause = std::error::Error::source(&error).expect("it has a cause").to_string();
    assert!(cause.contains("`-I`"), "{cause}");
    assert_eq!(load(&store, &record.key).await, Some(record));
}

/// The largest item that is not refused is one that the server takes.
#[tokio::test]
async fn a_session_as_large_as_an_item_is_stored() {
    let Some(store) = store().await else { return };
    let mut refused = 0;
    for shorter in (200..400).step_by(7) {
        let text = "x".repeat(MemcachedStore::DEFAULT_MAX_ITEM_BYTES - shorter);
        let record = with(fresh_record(), |record| record.attributes = attributes("T", text));
        match store.create(&record).await {
            Ok(written) => {
                assert_eq!(written, Created::Done);
                assert_eq!(load(&store, &record.key).await, Some(record));
            }
            Err(error) => {
                assert!(std::error::Error::source(&error).unwrap().to_string().contains("takes 1048"), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!((1..25).contains(&refused), "{refused} of 29 were refused");
}

#[tokio::test]
async fn a_server_with_larger_items_takes_every_session() {
    let Some(server) = MemcachedServer::start_with(&["-I", "2m"]) else { return };
    let store = connect(&server).await.with_max_item_bytes(2 * 1024 * 1024).unwrap();
    let text = "x".repeat(session_core::MAX_SESSION_BYTES - 20);
    let record = created(&store, with(fresh_record(), |record| record.attributes = attributes("Text", text))).await;
    assert_eq!(load(&store, &record.key).await, Some(record));
}

/// F14, B22: none, no panic, and not overwritten.
#[tokio::test]
async fn bytes_that_are_no_record_are_none_and_stay() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let whole = created(&store, fresh_record()).await;
    let stored = server.ask(&format!("get {}", name(&whole.key)));
    assert!(stored.starts_with("VALUE"));
    for foreign in ["", "x", "R", "R12345678", "R12345678short", "P123456781234", "M12345678", "{\"json\":true}", "B"] {
        let record = fresh_record();
        let set = format!("set {} 0 0 {}\r\n{foreign}", name(&record.key), foreign.len());
        assert!(server.ask(&set).starts_with("STORED"));
        assert_eq!(load(&store, &record.key).await, None, "{foreign:?}");
        assert_eq!(store.create(&record).await.unwrap(), Created::Exists);
        assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Missing);
        store.touch(&record.key, now()).await.unwrap();
        let left = server.ask(&format!("get {}", name(&record.key)));
        assert!(left.contains(&format!("{foreign}\r\nEND")), "{left:?}");
        store.delete(&record.key).await.unwrap();
        created(&store, record).await;
    }
}

/// Guarantee 9: a record is bound to its key.
#[tokio::test]
async fn a_record_copied_to_another_key_is_none() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let (victim, attacker) = (created(&store, fresh_record()).await, fresh_record());
    server.copy(&name(&victim.key), &name(&attacker.key));
    assert!(server.ask(&format!("get {}", name(&attacker.key))).starts_with("VALUE"), "it was copied");
    assert_eq!(load(&store, &attacker.key).await, None);
    assert_eq!(load(&store, &victim.key).await, Some(victim));
}

/// R27: with a key of the application, memcached sees no values.
#[tokio::test]
async fn encrypted_values_are_not_in_memcached() {
    let Some(server) = MemcachedServer::start() else { return };
    let codec = session_core::EncryptedCodec::new(&[7; 32]);
    let store = connect(&server).await.with_codec(codec);
    let record = created(&store, with(fresh_record(), |record| record.attributes = attributes("Secret", "hush"))).await;
    assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
    let stored = server.ask(&format!("get {}", name(&record.key)));
    assert!(stored.starts_with("VALUE") && !stored.contains("hush") && !stored.contains("Secret"));
    assert_eq!(load(&connect(&server).await, &record.key).await, None, "without the key it is none");
}

/// What it can't do it says, by name.
#[tokio::test]
async fn what_memcached_can_not_do_is_an_error_that_names_it() {
    let Some(store) = store().await else { return };
    let sessions = manager(&store);
    let capabilities = sessions.capabilities();
    assert!(!capabilities.list && !capabilities.principals);
    let listing = store.list(now(), 10).await.unwrap_err();
    assert!(listing.is_unsupported());
    assert_eq!(listing.to_string(), "memcached: listing sessions is not supported by this store");
    let principal = session_core::PrincipalKey::of("ann");
    let finding = store.of_principal(&principal, now()).await.unwrap_err();
    assert_eq!(finding.to_string(), "memcached: finding a principal's sessions is not supported by this store");
    assert!(store.delete_of_principal(&principal, None, now()).await.unwrap_err().is_unsupported());
}

#[tokio::test]
async fn a_wrong_address_is_an_error_that_names_it() {
    for wrong in ["memcached://", "memcached://host:port", "http://127.0.0.1", "127.0.0.1:11211,,"] {
        let error = MemcachedStore::connect(wrong).await.unwrap_err();
        assert!(!error.is_unavailable(), "{wrong}");
        assert!(error.to_string().contains("write HOST:PORT"), "{error}");
    }
    let nobody = format!("memcached://127.0.0.1:{}", workspace_tests::free_port());
    let error = MemcachedStore::connect(&nobody).await.unwrap_err();
    assert!(error.is_unavailable());
    assert!(error.to_string().contains(nobody.trim_start_matches("memcached://")), "{error}");
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket").display().to_string();
    let Some(_server) = MemcachedServer::start_on_socket(&socket) else { return };
    let store = MemcachedStore::connect(&format!("unix://{socket}")).await.unwrap();
    let record = created(&store, fresh_record()).await;
    assert_eq!(load(&store, &record.key).await, Some(record));
}

fn seconds_left(server: &MemcachedServer, record: &Record) -> i64 {
    let answer = server.ask(&format!("mg {} t", name(&record.key)));
    let left = answer.strip_prefix("HD t").and_then(|rest| rest.lines().next()).expect("it is there");
    left.parse().expect("a number of seconds")
}

#[tokio::test]
async fn a_server_without_compare_and_swap_is_found_out_when_the_store_connects() {
    let Some(mut server) = MemcachedServer::start_with(&["-C"]) else { return };
    let started = std::time::Instant::now();
    let error = MemcachedStore::connect(&server.url()).await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
    assert!(error.to_string().contains("start Memcached without `-C`"), "{error}");
    assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
    assert!(server.keys().is_empty(), "the question leaves nothing");
    server.kill();
}

/// Whoever restarts the server may add the option.
#[tokio::test]
async fn a_server_that_lost_compare_and_swap_refuses_writes_at_once() {
    let Some(mut server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    created(&store, fresh_record()).await;
    server.restart_with(&["-C"]);
    // The first call finds the old connection broken.
    let _broken = store.load(&fresh_key(), now()).await;
    let started = std::time::Instant::now();
    let error = store.create(&fresh_record()).await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
    assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_item_size_that_memcached_does_not_have_is_refused() {
    let Some(store) = store().await else { return };
    for bytes in [0, 1023, (1 << 30) + 1, usize::MAX] {
        let Err(error) = store.clone().with_max_item_bytes(bytes) else { panic!("{bytes} was taken") };
        assert!(error.to_string().contains("`max_item_bytes`"), "{error}");
    }
    for bytes in [1024, 1 << 30] {
        assert!(store.clone().with_max_item_bytes(bytes).is_ok(), "{bytes}");
    }
}
