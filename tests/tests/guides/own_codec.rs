use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use session_axum::store::{Body, Codec, Envelope, JsonCodec};
use session_axum::{EncryptedCodec, Record, RecordFormat, Time};
use session_core::{Attributes, Audience, RecordKey, Version};

use crate::code::own_codec::message_pack::MessagePack;
use crate::code::own_codec::switch::Switch;

/// A typical session: who signed in, how, a language and a cart.
fn record() -> Record {
    let now = Time::from_unix_millis(1_767_225_600_000);
    let mut record =
        Record::new(RecordKey::from_bytes([7; 32]), Version::from_number(1 << 32), now, Duration::from_secs(1800));
    let attributes = |json: &str| serde_json::from_str::<Attributes>(json).unwrap();
    record.principal = Some("ann".into());
    record.audience = Audience::new("shop").unwrap();
    record.constants = attributes(r#"{"Browser":"Firefox on Linux"}"#);
    record.attributes =
        attributes(r#"{"Cart":[["tea",2],["jam",1]],"Language":"en","Rate":1.0,"Seen":18446744073709551615}"#);
    record.extensions = attributes(r#"{"later":{"a":null,"b":-1}}"#);
    record.format = RecordFormat::V2;
    record
}

fn passes(from: &impl Codec, to: &impl Codec) -> bool {
    let record = record();
    match Envelope::seal(&record, from).unwrap().open(to) {
        Ok(opened) => {
            assert_eq!(opened, record);
            true
        }
        Err(_) => false,
    }
}

/// P86.
#[test]
fn each_step_of_a_change_reads_what_the_step_before_and_after_it_writes() {
    let step_1 = || Switch { writes: JsonCodec, also_reads: MessagePack };
    let step_2 = || Switch { writes: MessagePack, also_reads: JsonCodec };
    assert!(passes(&JsonCodec, &step_1()) && passes(&step_1(), &JsonCodec));
    assert!(passes(&step_1(), &step_2()) && passes(&step_2(), &step_1()));
    assert!(passes(&step_2(), &MessagePack) && passes(&MessagePack, &step_2()));
    assert!(!passes(&step_2(), &JsonCodec) && !passes(&JsonCodec, &MessagePack));

    let encrypted = || EncryptedCodec::new(&[1; 32]);
    let step_1 = || Switch { writes: JsonCodec, also_reads: encrypted() };
    let step_2 = || Switch { writes: encrypted(), also_reads: JsonCodec };
    assert!(passes(&JsonCodec, &step_1()) && passes(&step_1(), &JsonCodec));
    assert!(passes(&step_1(), &step_2()) && passes(&step_2(), &step_1()));
    assert!(passes(&step_2(), &encrypted()) && passes(&encrypted(), &step_2()));
    let both = || EncryptedCodec::wrapping(MessagePack, &[1; 32]);
    assert!(passes(&both(), &both()) && !passes(&both(), &MessagePack));
}

/// P86. Bytes that nobody wrote, and an error that quotes no value.
#[test]
fn what_is_no_message_pack_is_refused_without_a_word_of_it() {
    let mut body = Body::default();
    body.attributes = record().attributes;
    let envelope = Envelope::seal(&record(), &MessagePack).unwrap();
    let bytes = MessagePack.encode(&body, &envelope).unwrap();
    assert_eq!(MessagePack.decode(&bytes, &envelope).unwrap(), body);
    for end in 0..bytes.len() {
        assert!(MessagePack.decode(&bytes[..end], &envelope).is_err(), "cut at {end}");
    }
    assert!(MessagePack.decode(&[&bytes[..], &[0xc0]].concat(), &envelope).is_err());

    let secret = rmp_serde::to_vec_named(&BTreeMap::from([("a", "4111-1111")])).unwrap();
    let quoting = rmp_serde::from_slice::<Body>(&secret).unwrap_err();
    assert!(quoting.to_string().contains("4111"));
    let error = MessagePack.decode(&secret, &envelope).unwrap_err();
    assert!(!format!("{error:?} {error} {:?}", error.source()).contains("4111"));
}

/// P86.
#[test]
fn a_body_takes_about_a_tenth_less_than_in_json() {
    let size = |codec: &dyn Codec| Envelope::seal(&record(), codec).unwrap().body.len();
    let (json, packed) = (size(&JsonCodec), size(&MessagePack));
    assert!(packed * 10 < json * 9, "{packed} of {json}");
}

#[cfg(feature = "sqlite")]
mod in_a_file {
    use std::cell::RefCell;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use session_axum::store::CodecError;
    use session_axum::{Session, SessionError, SessionLayer, SqliteStore};
    use tempfile::TempDir;
    use workspace_tests::client::Client;

    use super::*;
    use crate::code::own_codec::store::open;
    use crate::with_login;

    /// A store on a file of the test's own, which ends with the test's thread.
    async fn fresh_store() -> SqliteStore {
        thread_local! {
            static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
        }
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
        FOLDER.set(Some(folder));
        store
    }

    mod suite {
        session_core::conformance_tests!(super::fresh_store().await.with_codec(super::MessagePack));
    }

    fn app(store: SqliteStore) -> Router {
        async fn count(sess: Session) -> Result<String, SessionError> {
            Ok(sess.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await?.to_string())
        }
        async fn seen(sess: Session) -> Result<String, SessionError> {
            Ok(format!("{:?}", sess.attr::<u32>("Count")?))
        }
        with_login(Router::new().route("/count", post(count)).route("/", get(seen))).layer(SessionLayer::new(store))
    }

    /// P86. Two processes at each step, the older and the newer one; then all the way back.
    #[tokio::test]
    async fn a_session_goes_on_through_all_steps_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sessions.db");
        let steps = [
            app(open(&file, JsonCodec).await.unwrap()),
            app(open(&file, Switch { writes: JsonCodec, also_reads: MessagePack }).await.unwrap()),
            app(open(&file, Switch { writes: MessagePack, also_reads: JsonCodec }).await.unwrap()),
            app(open(&file, MessagePack).await.unwrap()),
        ];
        let mut client = Client::new(&steps[0]);
        client.post("/login").await;
        let at = [0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 2, 1, 2, 1, 0, 1, 0];
        for (step, count) in at.into_iter().zip(1..) {
            client = client.moved_to(&steps[step]);
            assert_eq!(client.post("/count").await.body, count.to_string(), "at step {step}");
        }
        // Without the first step, the older process takes its visitor for signed out, and damages nothing.
        let mut newer = client.moved_to(&steps[2]);
        newer.post("/count").await;
        assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(newer.get("/").await.body, "Some(18)");
    }

    /// P86.
    #[tokio::test]
    async fn what_a_codec_refuses_to_write_is_503_and_changes_nothing() {
        struct Full;
        impl Codec for Full {
            fn encode(&self, _: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
                Err(CodecError::encode("no more"))
            }
            fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
                JsonCodec.decode(bytes, envelope)
            }
        }
        let store = fresh_store().await;
        let mut client = Client::new(&app(store.clone()));
        client.post("/login").await;
        client.post("/count").await;
        let mut client = client.moved_to(&app(store.with_codec(Full)));
        assert_eq!(client.post("/count").await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(client.get("/").await.body, "Some(1)");
    }
}
