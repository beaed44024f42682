use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::RandomError;
use crate::random::RandomSource;

/// The random name of a session that only its client and this process's memory hold.
///
/// It is the base64url text of at least 16 random bytes. Whoever has it is the visitor, so it
/// prints as a short fingerprint; [`as_str`](SessionId::as_str) is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId {
    // Inline, because an id is made or read on each request and an allocation is dearer. What is not
    // used is PADDING.
    text: [u8; SessionId::ROOM],
    chars: u8,
}

impl SessionId {
    /// Fewest random bytes of an id: 128 bits, the floor of OWASP ASVS 5.0, 7.2.3.
    pub const MIN_BYTES: usize = 16;
    /// Most random bytes of an id.
    pub const MAX_BYTES: usize = 32;
    /// Random bytes of an id where nothing else is asked for, as in icza/session.
    pub const DEFAULT_BYTES: usize = 18;

    const MIN_CHARS: usize = chars(SessionId::MIN_BYTES);
    const MAX_CHARS: usize = chars(SessionId::MAX_BYTES);
    /// A number of whole machine registers.
    const ROOM: usize = SessionId::MAX_CHARS.next_multiple_of(16);

    /// A new id of `bytes` random bytes, held between the two bounds.
    pub fn generate(random: &dyn RandomSource, bytes: usize) -> Result<Self, RandomError> {
        let mut buffer = [0; SessionId::MAX_BYTES];
        let raw = &mut buffer[..bytes.clamp(SessionId::MIN_BYTES, SessionId::MAX_BYTES)];
        random.fill(raw)?;
        let mut text = [PADDING; SessionId::ROOM];
        let chars = URL_SAFE_NO_PAD.encode_slice(raw, &mut text).expect("the buffer holds the text of the longest id");
        Ok(SessionId { text, chars: chars as u8 })
    }

    /// The id in this text, if it has an id's form: length and alphabet.
    ///
    /// Every length between the bounds will do, so that a changed setting ends no session.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Self> {
        let text = text.as_ref();
        let fits = (SessionId::MIN_CHARS..=SessionId::MAX_CHARS).contains(&text.len());
        if !fits {
            return None;
        }
        let mut copy = [PADDING; SessionId::ROOM];
        copy[..text.len()].copy_from_slice(text);
        // Many characters at once, as their number is known beforehand and none ends the search.
        let is_valid = copy.iter().fold(true, |is_valid, byte| is_valid & is_in_alphabet(*byte));
        is_valid.then_some(SessionId { text: copy, chars: text.len() as u8 })
    }

    /// The text that the client holds. Keep it out of logs, pages and addresses.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("an id is ASCII")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.chars)]
    }

    /// What only a page that was made for this session can know. No id has a colon, so that no
    /// session's key is the same hash.
    pub(crate) fn csrf_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("csrf:").chain_update(self.as_bytes()).finalize())
    }
}

/// A character of the alphabet.
const PADDING: u8 = b'-';

/// Whether a byte is a character of base64url.
const fn is_in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_')
}

/// The number of base64 characters without padding.
const fn chars(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// The session ids that one request presents, in order, four at most.
///
/// A client may hold several cookies of the same name (for other paths or domains), so each is
/// tried. What has not an id's form is remembered only as that.
#[derive(Debug, Default)]
pub struct PresentedIds {
    ids: [Option<SessionId>; PresentedIds::MAX],
    rejected: bool,
}

impl PresentedIds {
    /// Most ids that are tried.
    pub const MAX: usize = 4;

    /// Adds what the client presented as an id, whatever it is.
    pub fn push(&mut self, text: impl AsRef<[u8]>) {
        match SessionId::parse(text) {
            None => self.reject(),
            id => {
                if let Some(free) = self.ids.iter_mut().find(|slot| slot.is_none()) {
                    *free = id;
                }
            }
        }
    }

    /// Notes that something was presented that is no id.
    pub fn reject(&mut self) {
        self.rejected = true;
    }

    /// Whether no more ids are taken.
    pub fn is_full(&self) -> bool {
        self.ids.iter().all(Option::is_some)
    }

    /// Whether nothing at all was presented.
    pub(crate) fn is_empty(&self) -> bool {
        !self.rejected && self.ids[0].is_none()
    }

    pub(crate) fn nth(&self, at: usize) -> Option<&SessionId> {
        self.ids.get(at)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn an_id_has_the_asked_length_and_parses() {
        for (bytes, chars) in [(16, 22), (18, 24), (24, 32), (32, 43)] {
            let id = SessionId::generate(&SystemRandom, bytes).unwrap();
            assert_eq!(id.as_str().len(), chars);
            assert_eq!(SessionId::parse(id.as_str()), Some(id));
        }
    }

    #[test]
    fn a_malformed_id_does_not_parse() {
        let long = "a".repeat(44);
        let malformed =
            ["", "short", &long, "aaaaaaaaaaaaaaaaaaaaaaa ", "aaaaaaaaaaaaaaaaaaaaaaa%", "aaaaaaaaaaaaaaaaaaaaaaé"];
        for text in malformed {
            assert_eq!(SessionId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn debug_does_not_show_the_id() {
        let id = SessionId::generate(&SystemRandom, 18).unwrap();
        assert!(!format!("{id:?}").contains(id.as_str()));
    }
}
