use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::id::SessionId;

use super::attribute::Attribute;
use super::record::Record;

/// The name of the extension that has it.
const NAME: &str = "csrf";

/// The secret of a session from which the tokens of its forms are made.
///
/// It is the hash of the id, so nothing has to be stored for it. A renewal that is to keep it writes it into the record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormSecret([u8; FormSecret::BYTES]);

impl FormSecret {
    pub(crate) const BYTES: usize = 16;

    /// The prefix has a colon, which no id has, so this is never the hash of another session's id.
    pub(crate) fn of_id(id: &SessionId) -> Self {
        let hash = Sha256::new().chain_update("csrf:").chain_update(id.as_bytes()).finalize();
        let mut secret = [0; FormSecret::BYTES];
        secret.copy_from_slice(&hash[..FormSecret::BYTES]);
        FormSecret(secret)
    }

    /// The secret of a session that has this id.
    pub(crate) fn of(id: &SessionId, record: &Record) -> Self {
        FormSecret::kept_in(record).unwrap_or_else(|| FormSecret::of_id(id))
    }

    fn kept_in(record: &Record) -> Option<Self> {
        let text = record.extensions.get(NAME)?.as_str()?;
        Some(FormSecret(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    pub(crate) fn keep_in(self, record: &mut Record) {
        if let Ok(extension) = Attribute::new(NAME, &URL_SAFE_NO_PAD.encode(self.0)) {
            record.extensions = record.extensions.with(extension);
        }
    }

    pub(crate) fn forget_in(record: &mut Record) {
        record.extensions = record.extensions.without(NAME);
    }

    pub(crate) fn as_bytes(&self) -> &[u8; FormSecret::BYTES] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;
    use crate::record::sample;

    fn id() -> SessionId {
        SessionId::generate(&SystemRandom, 18).unwrap()
    }

    #[test]
    fn the_secret_is_that_of_the_id_until_another_is_kept() {
        let (first, second, mut record) = (id(), id(), sample());
        assert!(FormSecret::of(&first, &record) == FormSecret::of_id(&first));
        assert!(FormSecret::of_id(&first) != FormSecret::of_id(&second));
        FormSecret::of_id(&first).keep_in(&mut record);
        assert!(FormSecret::of(&second, &record) == FormSecret::of_id(&first));
        FormSecret::forget_in(&mut record);
        assert!(record.extensions.is_empty());
        assert!(FormSecret::of(&second, &record) == FormSecret::of_id(&second));
    }
}
