//! Who can write to a store, but has no key, changes what is encrypted.

use std::sync::Arc;

use parking_lot::Mutex;
use session_core::{Body, Codec, CodecError, EncryptedCodec, Envelope, Record, Saved, Store};

use crate::records::*;

const KEY: [u8; 32] = [7; 32];

/// Encrypts as the application does.
pub fn honest_codec() -> EncryptedCodec {
    EncryptedCodec::new(&KEY)
}

/// Writes the first body that it has seen, whatever the envelope around it: what can be done without the key.
#[derive(Clone)]
pub struct Replaying {
    codec: Arc<EncryptedCodec>,
    seen: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Replaying {
    /// Has seen nothing yet.
    pub fn begin() -> Self {
        Replaying { codec: Arc::new(honest_codec()), seen: Arc::default() }
    }

    fn forget(&self) {
        *self.seen.lock() = None;
    }
}

impl Codec for Replaying {
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError> {
        let fresh = self.codec.encode(body, envelope)?;
        Ok(self.seen.lock().get_or_insert(fresh).clone())
    }

    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
        self.codec.decode(bytes, envelope)
    }
}

/// `honest` is a store with the [`honest_codec`], `forger` the same one with this codec.
pub async fn nothing_but_the_last_use_can_be_forged(honest: &impl Store, forger: &impl Store, codec: &Replaying) {
    let changes: [fn(&mut Record); 5] = [
        |record| *record = next(record),
        |record| record.idle_timeout += MINUTE,
        |record| record.absolute_deadline = None,
        |record| record.persistent = !record.persistent,
        |record| record.created = record.created.saturating_sub(MINUTE),
    ];
    for change in changes {
        codec.forget();
        let record = with(fresh_record(), |record| record.attributes = attributes("Role", "admin"));
        let record = created(forger, record).await;
        assert_eq!(load(honest, &record.key).await.as_ref(), Some(&record));
        let forged = with(record.clone(), change);
        assert_eq!(forger.save(&forged, record.version).await.unwrap(), Saved::Done);
        assert_eq!(load(honest, &record.key).await, None, "{record:?} became {forged:?}");
    }
    // What a touch changes alone can be changed by whoever can write to the store.
    codec.forget();
    let record = created(forger, fresh_record()).await;
    let later = record.accessed.saturating_add(MINUTE);
    forger.touch(&record.key, later).await.unwrap();
    assert_eq!(load(honest, &record.key).await, Some(with(record, |record| record.accessed = later)));
}
