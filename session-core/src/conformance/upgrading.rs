use crate::id::SessionId;
use crate::manager::SessionManager;
use crate::record::{Record, RecordFormat};
use crate::session::{NewSession, Session};
use crate::store::Store;

use super::support::{attributes, create, fresh_id, fresh_principal, fresh_record, load, now};

/// A process that writes records in this format.
fn process(store: &(impl Store + Clone), format: RecordFormat) -> SessionManager {
    let builder = SessionManager::builder(store.clone()).record_format(format).without_background_purge();
    builder.build().expect("these settings work")
}

async fn opened(process: &SessionManager, id: &SessionId) -> Session {
    process.get(id.as_str()).await.expect("the store works").expect("the session is alive")
}

/// Processes that write different formats use the same sessions. Each save writes the format of the process that
/// saves, the earlier one too.
pub async fn formats_live_side_by_side_and_the_way_back(store: &(impl Store + Clone)) {
    let formats = [RecordFormat::V1, RecordFormat::V2];
    let processes = formats.map(|format| process(store, format));
    for (starts, format) in processes.iter().zip(formats) {
        let new = NewSession::new().principal(fresh_principal()).attr("Count", &0);
        let id = starts.create(new).await.expect("the store works").id();
        assert_eq!(stored(store, &id).await.format, format);
        for (count, at) in [(1, 1), (2, 0), (3, 1), (4, 0)] {
            let session = opened(&processes[at], &id).await;
            let counted = session.update_attr("Count", |count: Option<i32>| count.unwrap_or_default() + 1).await;
            assert_eq!(counted.expect("the store works"), count);
            assert_eq!(stored(store, &id).await.format, formats[at]);
        }
    }
}

async fn stored(store: &impl Store, id: &SessionId) -> Record {
    load(store, &id.key(), now()).await.expect("the session is stored")
}

/// An extension that this release does not know is kept by saves and renewals, in either format.
pub async fn extension_of_a_later_release_survives_saves_and_renewals(store: &(impl Store + Clone)) {
    for format in [RecordFormat::V1, RecordFormat::V2] {
        let (id, record) = extended("later");
        create(store, &record).await;
        let session = opened(&process(store, format), &id).await;
        session.set_attr("Color", "blue").expect("the session is alive");
        session.save().await.expect("the store works");
        session.renew_id().expect("the session is alive");
        session.save().await.expect("the store works");
        let renewed = stored(store, &session.id()).await;
        assert_eq!(renewed.extensions, record.extensions);
        assert_eq!(renewed.attributes.get("Color"), Some(&"blue".into()));
    }
}

/// A session with a critical extension that this release does not know is refused. It is not changed, so that it
/// stays valid for later releases.
pub async fn session_beyond_this_release_is_refused_and_left_alone(store: &(impl Store + Clone)) {
    let (id, record) = extended("!later");
    create(store, &record).await;
    let process = process(store, RecordFormat::V2);
    assert!(process.get(id.as_str()).await.expect("the store works").is_none());
    let left = stored(store, &id).await;
    assert_eq!((left.version, left.extensions), (record.version, record.extensions));
}

/// A record as a later release writes it, with one more field.
fn extended(name: &str) -> (SessionId, Record) {
    let id = fresh_id();
    let record = Record {
        key: id.key(),
        format: RecordFormat::V2,
        extensions: attributes([(name, serde_json::json!({"since": 3}))]),
        ..fresh_record()
    };
    (id, record)
}
