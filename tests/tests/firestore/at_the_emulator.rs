//! What can be seen at the emulator: documents, what they cost, limits, settings.

use std::process::Command;

use serde_json::{Value, json};
use session_core::{
    Created, Error, MemoryStore, NewSession, PrincipalKey, Purged, RecordKey, Renewed, Saved, Store, TieredStore,
    WriteBehind,
};
use session_stores::FirestoreStore;
use workspace_tests::FirestoreEmulator;
use workspace_tests::calls;
use workspace_tests::records::*;

use crate::support::*;

/// A collection that no other test uses, so that what is in it can be counted.
async fn own_collection() -> Option<(&'static FirestoreEmulator, FirestoreStore, String)> {
    let emulator = shared_emulator()?;
    let name = format!("of_{}", fresh_key());
    let store = connect(emulator).await.with_collection(&name).expect("it is a name");
    Some((emulator, store, name))
}

fn documents(emulator: &FirestoreEmulator, collection: &str) -> Vec<Value> {
    let answer = emulator.ask("GET", &format!("{collection}?pageSize=300"), &json!(null));
    answer["documents"].as_array().cloned().unwrap_or_default()
}

/// A15, B35: what an attacker reads in Firestore opens no session.
#[tokio::test]
async fn a_dump_of_everything_holds_no_id() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let sessions = manager(&store);
    let mut ids = Vec::new();
    for number in 0..10 {
        let session = sessions.create(NewSession::new().principal("annabel").attr("Number", &number)).await.unwrap();
        ids.push(session.id());
        session.renew_id().unwrap();
        session.save().await.unwrap();
        ids.push(session.id());
    }
    let (documents, notes) = (documents(emulator, &collection), documents(emulator, &format!("{collection}_moved")));
    assert_eq!((documents.len(), notes.len()), (10, 10));
    let mut dump = json!([&documents, &notes]).to_string();
    assert!(!dump.contains("annabel"), "what is indexed names nobody");
    for document in &documents {
        dump += &String::from_utf8_lossy(&bytes(&document["fields"]["body"]));
    }
    assert!(dump.contains("Number") && dump.contains("annabel"), "the dump has the values");
    for id in ids {
        assert!(!dump.contains(id.as_str()));
    }
}

/// A9: nothing is written for strangers, and a session's whole life leaves nothing.
#[tokio::test]
async fn nothing_is_left_behind() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    for _ in 0..campaign(20) {
        let record = fresh_record();
        assert_eq!(load(&store, &record.key).await, None);
        store.touch(&record.key, now()).await.unwrap();
        store.delete(&record.key).await.unwrap();
        assert_eq!(store.save(&record, record.version).await.unwrap(), Saved::Missing);
        assert_eq!(renew(&store, &record, &renewed(&record)).await.unwrap(), Renewed::Missing);
    }
    assert_eq!(documents(emulator, &collection), Vec::<Value>::new());
    let record = created(&store, fresh_record()).await;
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
    assert_eq!(documents(emulator, &collection).len(), 1);
    store.delete(&new.key).await.unwrap();
    assert_eq!(documents(emulator, &collection), Vec::<Value>::new());
}

#[tokio::test]
async fn a_load_is_one_call_and_a_save_of_what_was_loaded_too() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    let record = fresh_record();
    let saved = next(&record);
    let again = next(&saved);
    let new = renewed(&again);
    let mut step = calls::of_a_step(|| proxy.http2_requests());
    let steps = [
        (store.create(&record).await.unwrap(), step()).1,
        (store.load(&record.key, now()).await.unwrap(), step()).1,
        (store.save(&saved, record.version).await.unwrap(), step()).1,
        (store.save(&again, saved.version).await.unwrap(), step()).1,
        (store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap(), step()).1,
        (store.touch(&record.key, now().saturating_add(2 * MINUTE)).await.unwrap(), step()).1,
        (store.load(&record.key, now()).await.unwrap(), step()).1,
        (renew(&store, &again, &new).await.unwrap(), step()).1,
        (store.delete(&new.key).await.unwrap(), step()).1,
    ];
    // A deletion also looks for a note.
    assert_eq!(steps, [1, 1, 1, 1, 1, 2, 1, 1, 2]);
}

/// More than one transaction ends. Who is spared stays, also under the key that it had.
#[tokio::test]
async fn ending_all_sessions_of_a_user_takes_two_calls_for_each_500() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    let user = format!("ann {}", fresh_key());
    let principal = PrincipalKey::of(&user);
    let signed_in = || with(fresh_record(), |record| record.principal = Some(user.as_str().into()));
    let here = created(&store, signed_in()).await;
    let here_now = renewed(&here);
    assert_eq!(renew(&store, &here, &here_now).await.unwrap(), Renewed::Done);
    for _ in 0..520 {
        created(&store, signed_in()).await;
    }
    assert_eq!(store.delete_of_principal(&principal, Some(&here.key), now()).await.unwrap(), 520);
    assert_eq!(store.of_principal(&principal, now()).await.unwrap(), [here_now]);
    let before = proxy.http2_requests();
    assert_eq!(store.delete_of_principal(&principal, None, now()).await.unwrap(), 1);
    assert_eq!(proxy.http2_requests() - before, 2);
    assert_eq!(store.of_principal(&principal, now()).await.unwrap(), []);
}

#[tokio::test]
async fn a_request_that_reads_takes_one_call_and_one_that_changes_two() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    calls::a_change_takes_two_calls(&store, || proxy.http2_requests()).await;
}

#[tokio::test]
async fn what_changed_since_it_was_loaded_is_read_again() {
    let Some((emulator, proxy, store)) = behind_proxy().await else { return };
    let other = connect(emulator).await;
    calls::what_changed_since_it_was_loaded_is_read_again(&store, &other, || proxy.http2_requests()).await;
}

/// A touch writes two fields, and not the values.
#[tokio::test]
async fn documents_have_instants_as_integers() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let record = created(&store, with(fresh_record(), |record| record.principal = Some("ann".into()))).await;
    let accessed = record.accessed.saturating_add(MINUTE);
    store.touch(&record.key, accessed).await.unwrap();
    let document = documents(emulator, &collection).remove(0);
    let integer = |name: &str| document["fields"][name]["integerValue"].as_str().expect(name).parse::<i64>().unwrap();
    assert_eq!(integer("created"), record.created.unix_millis());
    assert_eq!(integer("accessed"), accessed.unix_millis());
    assert_eq!(integer("expires_at"), accessed.saturating_add(record.idle_timeout).unix_millis());
    assert_eq!(integer("version"), record.version.get() as i64);
    assert_eq!(bytes(&document["fields"]["principal"]).len(), 32);
}

/// A25, B33: hostile ids never get there; whatever bytes a key has, it is the name of a document.
#[tokio::test]
async fn every_key_is_a_name_that_firestore_takes() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let sessions = manager(&store);
    for id in ["../../../aaaaaaaaaaaaaaaaaaaa", "__aaaaaaaaaaaaaaaaaaaaaaaa__/x", "aaaaaaaaaaaaaaaaaaaaaaaa\r\n"] {
        assert!(sessions.get(id).await.unwrap().is_none());
    }
    for byte in [0, 0x2e, 0x5f, 0xfb, 0xff] {
        let record =
            created(&store, with(fresh_record(), |record| record.key = RecordKey::from_bytes([byte; 32]))).await;
        assert_eq!(load(&store, &record.key).await, Some(record));
    }
    assert_eq!(documents(emulator, &collection).len(), 5);
}

/// F14, B22: none, no panic, and not overwritten.
#[tokio::test]
async fn a_document_that_is_no_record_is_none_and_stays() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let whole = created(&store, fresh_record()).await;
    let fields = documents(emulator, &collection).remove(0)["fields"].clone();
    let mut broken = vec![json!({}), json!({"foreign": {"stringValue": "text"}})];
    for name in
        fields.as_object().unwrap().keys().filter(|name| !["expires_at", "absolute_deadline"].contains(&name.as_str()))
    {
        let mut without = fields.clone();
        without.as_object_mut().unwrap().remove(name);
        broken.push(without);
        let mut altered = fields.clone();
        altered[name] = json!({"stringValue": "text"});
        broken.push(altered);
    }
    // Guarantee 9: nor is a whole one that was copied from another key.
    broken.push(fields);
    for fields in broken {
        let record = fresh_record();
        let document = json!({ "fields": fields });
        emulator.ask("PATCH", &path(&collection, &record.key), &document);
        assert_eq!(load(&store, &record.key).await, None, "{fields}");
        assert_eq!(store.create(&record).await.unwrap(), Created::Exists);
        let stored = emulator.ask("GET", &path(&collection, &record.key), &json!(null));
        assert_eq!(stored.get("fields").unwrap_or(&json!({})), &fields);
        assert_eq!(store.list(now(), 1000).await.unwrap(), std::slice::from_ref(&whole));
        store.delete(&record.key).await.unwrap();
    }
}

/// F13, B20: a clear error, and the session is as it was; what is not refused is stored.
#[tokio::test]
async fn a_session_larger_than_a_document_is_refused_and_unharmed() {
    let Some(store) = store().await else { return };
    let record = created(&store, fresh_record()).await;
    let of = |shorter: usize| attributes("Text", "x".repeat(1024 * 1024 - shorter));
    let error =
        store.save(&with(next(&record), |record| record.attributes = of(100)), record.version).await.unwrap_err();
    assert!(!error.is_unavailable());
    let cause = std::error::Error::source(&error).expect("it has a cause").to_string();
    assert!(cause.contains("a document of Firestore holds"), "{cause}");
    assert_eq!(load(&store, &record.key).await, Some(record));
    let largest = with(fresh_record(), |record| {
        record.attributes = of(1200);
        record.principal = Some("ann".into());
    });
    let largest = created(&store, largest).await;
    assert_eq!(load(&store, &largest.key).await, Some(largest));
}

/// S52: written behind, too. What just fits is written.
#[tokio::test]
async fn more_than_a_document_holds_is_refused_before_firestore_when_it_is_saved() {
    let Some(store) = store().await else { return };
    let tiers = TieredStore::builder(MemoryStore::new(), store.clone()).write_behind(WriteBehind::new());
    let sessions = manager(&tiers.build().unwrap());
    let session = sessions.create(NewSession::new().attr("Count", &1)).await.unwrap();
    let text = |shorter: usize| "x".repeat(1024 * 1024 - shorter);
    session.set_attr("Text", &text(1000)).unwrap();
    let refused = session.save().await.unwrap_err();
    assert!(matches!(&refused, Error::Store(error) if !error.is_unavailable()), "{refused:?}");
    let again = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attrs().len(), 1);
    again.set_attr("Text", &text(2200)).unwrap();
    again.save().await.unwrap();
    sessions.close().await.unwrap();
    let written = load(&store, &session.handle()).await.unwrap();
    assert_eq!(written.attributes.len(), 2);
}

/// R27: with a key of the application, Firestore sees no values.
#[tokio::test]
async fn encrypted_values_are_not_in_firestore() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let sealed = store.clone().with_codec(session_core::EncryptedCodec::new(&[7; 32]));
    let record =
        created(&sealed, with(fresh_record(), |record| record.attributes = attributes("Secret", "hush"))).await;
    assert_eq!(load(&sealed, &record.key).await.as_ref(), Some(&record));
    let body = bytes(&documents(emulator, &collection)[0]["fields"]["body"]);
    assert!(!String::from_utf8_lossy(&body).contains("hush"));
    assert_eq!(load(&store, &record.key).await, None, "without the key it is none");
}

/// Batch by batch, until it says that none are left.
#[tokio::test]
async fn purging_takes_as_many_batches_as_it_needs() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let live = created(&store, fresh_record()).await;
    let long_ago = now().saturating_sub(24 * 60 * MINUTE);
    for _ in 0..25 {
        created(
            &store,
            with(fresh_record(), |record| {
                record.created = long_ago;
                record.accessed = long_ago;
            }),
        )
        .await;
    }
    let mut batches = Vec::new();
    loop {
        let purged = store.purge_expired(now(), 10).await.unwrap();
        batches.push(purged.expired);
        if !purged.more {
            break;
        }
    }
    assert_eq!(batches, [10, 10, 5]);
    let left = documents(emulator, &collection);
    assert_eq!(left.len(), 1);
    assert!(left[0]["name"].as_str().unwrap().ends_with(&live.key.to_string()));
}

/// In a collection of their own, so that nothing takes one for a session.
#[tokio::test]
async fn notes_are_purged_when_their_time_is_over() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let (notes, until) = (format!("{collection}_moved"), now().saturating_add(MINUTE));
    for _ in 0..25 {
        let old = created(&store, fresh_record()).await;
        let new = renewed(&old);
        assert_eq!(store.renew(&old.key, old.version, &new, Some(until)).await.unwrap(), Renewed::Done);
    }
    assert_eq!(store.purge_expired(until.saturating_sub(SECOND), 10).await.unwrap(), Purged::new(0, false));
    assert_eq!((documents(emulator, &collection).len(), documents(emulator, &notes).len()), (25, 25));
    for (left, more) in [(15, true), (5, true), (0, false)] {
        assert_eq!(store.purge_expired(until, 10).await.unwrap(), Purged::new(0, more), "notes are no sessions");
        assert_eq!(documents(emulator, &notes).len(), left);
    }
    assert_eq!(documents(emulator, &collection).len(), 25);
}

/// An answer would be a guess, and whoever ends the session must know that it may not have ended.
#[tokio::test]
async fn a_damaged_note_is_an_error() {
    let Some((emulator, store, collection)) = own_collection().await else { return };
    let old = created(&store, fresh_record()).await;
    let new = renewed(&old);
    assert_eq!(renew(&store, &old, &new).await.unwrap(), Renewed::Done);
    let foreign = json!({"fields": {"moved_to": {"stringValue": "elsewhere"}}});
    emulator.ask("PATCH", &path(&format!("{collection}_moved"), &old.key), &foreign);
    assert!(!store.moved(&old.key, now()).await.unwrap_err().is_unavailable());
    assert!(!store.delete(&old.key).await.unwrap_err().is_unavailable());
    assert_eq!(load(&store, &new.key).await, Some(new));
}

#[tokio::test]
async fn collections_are_apart_and_their_names_are_checked() {
    let Some((_emulator, store, _)) = own_collection().await else { return };
    let record = created(&store, fresh_record()).await;
    let other = store.clone().with_collection("other").unwrap();
    assert_eq!(load(&other, &record.key).await, None);
    let long = "a".repeat(1495);
    for name in ["", "a/b", "..", "__all__", "sess__moved", &long] {
        assert!(store.clone().with_collection(name).is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn databases_of_a_project_are_apart() {
    let Some(emulator) = shared_emulator() else { return };
    let host = emulator.addr().to_string();
    let here = FirestoreStore::connect_to_emulator(&host, "tests/here").await.unwrap();
    let there = FirestoreStore::connect_to_emulator(&host, "tests/there").await.unwrap();
    let record = created(&here, fresh_record()).await;
    assert_eq!(load(&there, &record.key).await, None);
    assert_eq!(load(&here, &record.key).await, Some(record));
    assert!(!FirestoreStore::connect_to_emulator(&host, "a b").await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_wrong_address_is_an_error_at_once() {
    let nobody = format!("127.0.0.1:{}", workspace_tests::free_port());
    let start = std::time::Instant::now();
    assert!(FirestoreStore::connect_to_emulator(&nobody, "tests").await.unwrap_err().is_unavailable());
    assert!(start.elapsed() < SECOND);
}

/// In a process of its own, as the environment is the whole process's.
#[tokio::test]
async fn the_environment_names_the_emulator() {
    if std::env::var_os("FIRESTORE_EMULATOR_HOST").is_some() {
        let store = FirestoreStore::connect("tests").await.expect("the emulator runs");
        let record = created(&store, fresh_record()).await;
        assert_eq!(load(&store, &record.key).await, Some(record));
        return;
    }
    let Some(emulator) = shared_emulator() else { return };
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command.args(["--exact", "at_the_emulator::the_environment_names_the_emulator"]);
    command.env("FIRESTORE_EMULATOR_HOST", emulator.addr().to_string());
    let output = command.output().expect("it can be run again");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

fn bytes(value: &Value) -> Vec<u8> {
    use base64::Engine;
    let text = value["bytesValue"].as_str().expect("it is bytes");
    base64::engine::general_purpose::STANDARD.decode(text).expect("it is base64")
}
