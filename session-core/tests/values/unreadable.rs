//! B72: an attribute that can't be read does not cost its session.

use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use session_core::{
    Body, Codec, CodecError, DroppedRecords, Envelope, InvalidRecord, JsonCodec, NewSession, Record, RecordKey,
    SessionManager, Time, Version,
};

use super::stores::bytes;

/// Writes this JSON, whatever the body is: as an older release or another program did.
struct Foreign(String);

impl Codec for Foreign {
    fn encode(&self, _: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
        Ok(self.0.clone().into_bytes())
    }

    fn decode(&self, _: &[u8], _: &Envelope) -> Result<Body, CodecError> {
        unreachable!("it only writes")
    }
}

fn record() -> Record {
    let now = Time::from_unix_millis(1_767_225_600_000);
    Record::new(RecordKey::from_bytes([7; 32]), Version::from_number(1), now, std::time::Duration::from_secs(1800))
}

/// A record whose body is this JSON.
fn stored(json: &str) -> Envelope {
    let envelope = Envelope::seal(&record(), &Foreign(json.to_owned())).expect("it always writes");
    Envelope::from_bytes(envelope.key, &envelope.to_bytes()).expect("it was just written")
}

fn opened(json: &str) -> Result<Record, InvalidRecord> {
    stored(json).open(&JsonCodec)
}

/// What is logged meanwhile.
fn logged(run: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // As in the log of `sessions/events.rs`: without a listener for all tests, tracing may forget this line.
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    });
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, run);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

/// Values that this release does not read, each with its own reason.
fn unreadable() -> Vec<String> {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let others = ["1e999", "[-1e400]", r#""\ud800""#, r#"{"a":"\udc00"}"#, r#"{"\ud83d":1}"#];
    let others = others.map(str::to_owned);
    [deep(200), deep(100_000), objects].into_iter().chain(others).collect()
}

#[test]
fn an_unreadable_attribute_or_constant_is_dropped_alone_with_one_warning() {
    for value in unreadable() {
        let json =
            format!(r#"{{"c":{{"role":"admin","broken":{value}}},"a":{{"Count":7,"broken":{value},"text":"ü\n"}}}}"#);
        let dropped = DroppedRecords::new("test");
        let log = logged(|| {
            // Each request meets it again, and one line is enough.
            for _ in 0..20 {
                let record = stored(&json).open_or_warn(&JsonCodec, &dropped).expect("the rest can be read");
                assert_eq!(record.attr("Count").unwrap(), Some(7));
                assert_eq!(record.attr("text").unwrap(), Some("ü\n".to_owned()));
                assert_eq!(record.constant("role").unwrap(), Some("admin".to_owned()));
                assert_eq!((record.attributes.len(), record.constants.len()), (2, 1));
            }
        });
        assert_eq!(log.matches("WARN").count(), 1, "{log}");
        assert!(log.contains(r#"names=["broken", "broken"]"#), "{log}");
        assert!(!log.contains("dropped a record"), "{log}");
    }
}

#[test]
fn a_principal_stays_with_its_session() {
    let mut named = record();
    named.principal = Some("ann".into());
    let json = r#"{"p":"ann","a":{"broken":1e999,"Count":7}}"#;
    let envelope = Envelope::seal(&named, &Foreign(json.to_owned())).unwrap();
    let record = envelope.open(&JsonCodec).unwrap();
    assert_eq!(record.principal.as_deref(), Some("ann"));
    assert_eq!(record.attr("Count").unwrap(), Some(7));
}

/// One of these may say who must not use the session.
#[test]
fn an_unreadable_extension_makes_the_record_unreadable() {
    assert!(opened(r#"{"a":{"broken":1e999},"x":{"later":1}}"#).is_ok());
    assert!(opened(r#"{"a":{"Count":7},"x":{"!bound":1e999}}"#).is_err());
}

#[test]
fn what_is_no_body_is_still_none() {
    for json in ["", "{", "1", "{}}", r#"{"a":[1]}"#, r#"{"a":{"b":}}"#, r#"{"a":{"b":1,}}"#, r#"{"p":1e999}"#] {
        assert!(opened(json).is_err(), "{json}");
    }
}

/// Adds a deep attribute to each record that it writes.
struct Spoiling;

impl Codec for Spoiling {
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError> {
        let json = String::from_utf8(JsonCodec.encode(body, envelope)?).expect("JSON is text");
        let broken = format!(r#""a":{{"broken":{}{},"#, "[".repeat(200), "]".repeat(200));
        Ok(json.replace(r#""a":{"#, &broken).into_bytes())
    }

    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
        JsonCodec.decode(bytes, envelope)
    }
}

#[tokio::test]
async fn the_session_goes_on_without_what_can_not_be_read() {
    let sessions = SessionManager::builder(bytes(Spoiling)).without_background_purge().build().unwrap();
    let session = sessions.create(NewSession::new().attr("Count", &1)).await.unwrap();
    for count in 2..5 {
        let found = sessions.get(session.id().as_str()).await.unwrap().expect("one attribute costs no session");
        assert_eq!(found.attr::<String>("broken").unwrap(), None);
        assert_eq!(found.update_attr("Count", |count| count.unwrap_or(0) + 1).await.unwrap(), count);
    }
}

#[cfg(feature = "encryption")]
#[test]
fn the_same_holds_inside_an_encrypted_record() {
    use session_core::EncryptedCodec;
    let foreign = Foreign(r#"{"a":{"broken":1e999,"Count":7}}"#.to_owned());
    let envelope = Envelope::seal(&record(), &EncryptedCodec::wrapping(foreign, &[7; 32])).unwrap();
    let record = envelope.open(&EncryptedCodec::new(&[7; 32])).unwrap();
    assert_eq!(record.attr("Count").unwrap(), Some(7));
    assert_eq!(record.attributes.len(), 1);
}
