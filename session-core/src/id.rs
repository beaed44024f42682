//! Session ids: the secret that a client holds, and the ids that one request presents.
//!
//! This room may know random bytes and errors, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::RandomError;
use crate::random::RandomSource;

/// The secret random id of a session. Only its client and this process's memory hold it; stores keep a hash.
///
/// Its text is the base64url form of 16 to 32 random bytes. Whoever knows the text is the visitor, so `Debug` shows
/// only a short fingerprint, and [`as_str`](SessionId::as_str) is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId {
    // Inline, because each request makes or reads an id, and an allocation costs more than copying it. Unused
    // bytes are PADDING.
    text: [u8; SessionId::ROOM],
    chars: u8,
}

impl SessionId {
    /// The smallest number of random bytes in an id: 16. OWASP ASVS 5.0, 7.2.3 asks for these 128 bits.
    pub const MIN_BYTES: usize = 16;
    /// The largest number of random bytes in an id: 32.
    pub const MAX_BYTES: usize = 32;
    /// The default number of random bytes in an id: 18, as in icza/session.
    pub const DEFAULT_BYTES: usize = 18;

    const MIN_CHARS: usize = chars(SessionId::MIN_BYTES);
    const MAX_CHARS: usize = chars(SessionId::MAX_BYTES);
    /// A multiple of 16, so that the compiler checks the text with whole vector registers.
    const ROOM: usize = SessionId::MAX_CHARS.next_multiple_of(16);

    /// Makes a new id of `bytes` random bytes. Fewer than 16 count as 16, more than 32 as 32.
    ///
    /// [`RandomError`] if the source of random bytes failed.
    pub fn generate(random: &dyn RandomSource, bytes: usize) -> Result<Self, RandomError> {
        let mut buffer = [0; SessionId::MAX_BYTES];
        let raw = &mut buffer[..bytes.clamp(SessionId::MIN_BYTES, SessionId::MAX_BYTES)];
        random.fill(raw)?;
        Ok(SessionId::of_bytes(raw))
    }

    /// The id of these secret bytes: at most 32.
    pub(crate) fn of_bytes(raw: &[u8]) -> Self {
        let mut text = [PADDING; SessionId::ROOM];
        let chars = URL_SAFE_NO_PAD.encode_slice(raw, &mut text).expect("the buffer holds the text of the longest id");
        SessionId { text, chars: chars as u8 }
    }

    /// Reads an id from text. `None` if the text is not 22 to 43 base64url characters.
    ///
    /// All these lengths are accepted, whatever the setting, so that changing the setting ends no session.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Self> {
        let text = text.as_ref();
        let fits = (SessionId::MIN_CHARS..=SessionId::MAX_CHARS).contains(&text.len());
        if !fits {
            return None;
        }
        let mut copy = [PADDING; SessionId::ROOM];
        copy[..text.len()].copy_from_slice(text);
        // All characters are checked without an early end, so that the compiler checks many at once.
        let is_valid = copy.iter().fold(true, |is_valid, byte| is_valid & is_in_alphabet(*byte));
        is_valid.then_some(SessionId { text: copy, chars: text.len() as u8 })
    }

    /// The secret text that the client holds. Keep it out of logs, pages and addresses.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("an id is ASCII")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.chars)]
    }
}

/// Fills unused bytes. A character of the alphabet, so that the check needs no exception for it.
const PADDING: u8 = b'-';

/// Whether the byte is a base64url character.
const fn is_in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_')
}

/// How many base64 characters, without padding, this many bytes need.
const fn chars(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// How the ids of one request came, and so how its client is to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// A number of the transport's own.
    pub(crate) way: u16,
    pub(crate) by_bearer: bool,
    /// Sessions that are started by bearer tokens and others are kept apart.
    pub(crate) apart: bool,
}

/// The session ids that one request presents, in order: at most 4.
///
/// A client may send several cookies of the same name (for other paths or domains), so each id is looked up until
/// one has a session. Text that is not an id takes no place among the 4. Only the fact that there was some is kept.
#[derive(Debug, Default)]
pub struct PresentedIds {
    ids: [Option<SessionId>; PresentedIds::MAX],
    /// Bit n tells that the n-th id came in an outdated form.
    outdated: u8,
    rejected: bool,
    carried: Carried,
}

impl PresentedIds {
    /// The largest number of ids that are looked up: 4.
    pub const MAX: usize = 4;

    /// Adds text that the client presented as an id. Malformed text counts as rejected and takes no place. Ids after
    /// the fourth are ignored.
    pub fn push(&mut self, text: impl AsRef<[u8]>) {
        let Some(free) = self.ids.iter_mut().find(|id| id.is_none()) else { return };
        *free = SessionId::parse(text);
        self.rejected |= free.is_none();
    }

    /// Adds an id that the client holds in an outdated form, such as a cookie that is signed with an old key. If it has
    /// a session, the client is told the id again.
    pub fn push_outdated(&mut self, text: impl AsRef<[u8]>) {
        let Some(free) = self.ids.iter().position(Option::is_none) else { return };
        self.push(text);
        self.outdated |= u8::from(self.ids[free].is_some()) << free;
    }

    /// Notes that the client presented something that is not an id.
    pub fn reject(&mut self) {
        self.rejected = true;
    }

    /// Notes in which of several ways this client is to be answered: a number of the integration's own, which
    /// [`Visit::way`](crate::visit::Visit::way) tells when the answer is written. Default: 0.
    pub fn set_way(&mut self, way: u16) {
        self.carried.way = way;
    }

    /// The number that [`set_way`](PresentedIds::set_way) has noted.
    pub fn way(&self) -> u16 {
        self.carried.way
    }

    /// Notes that the ids came as bearer tokens, which no browser sends by itself. Default: they came in another way.
    pub fn set_by_bearer(&mut self) {
        self.carried.by_bearer = true;
    }

    /// Lets the ids open and end only sessions that were started as these ids came: by a request that notes
    /// [`set_by_bearer`](PresentedIds::set_by_bearer), or by one that does not. For integrations that take ids in both
    /// ways. Default: a bearer token opens either kind.
    ///
    /// A session that was started by a bearer token in such an integration is never opened by an id that came otherwise.
    pub fn keep_apart(&mut self) {
        self.carried.apart = true;
    }

    pub(crate) fn carried(&self) -> Carried {
        self.carried
    }

    /// Whether there are 4 ids, so that more would be ignored.
    pub fn is_full(&self) -> bool {
        self.ids.iter().all(Option::is_some)
    }

    /// Whether the client presented nothing, not even malformed text.
    pub(crate) fn is_empty(&self) -> bool {
        !self.rejected && self.ids[0].is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SessionId> {
        self.ids.iter().flatten()
    }

    /// Whether the id at this place came in an outdated form.
    pub(crate) fn is_outdated(&self, at: usize) -> bool {
        self.outdated & (1 << at) != 0
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
    fn text_that_is_no_id_takes_no_place() {
        let ids: Vec<_> = (0..5).map(|_| SessionId::generate(&SystemRandom, 18).unwrap()).collect();
        let mut presented = PresentedIds::default();
        for id in &ids {
            for junk in ["", "short", "\"\"", "aaaaaaaaaaaaaaaaaaaaaaa%"] {
                presented.push(junk);
                presented.push_outdated(junk);
            }
            presented.push(id.as_str());
        }
        assert!(presented.is_full() && presented.rejected);
        assert_eq!(presented.ids, ids[..4].iter().cloned().map(Some).collect::<Vec<_>>()[..]);
        assert_eq!(presented.outdated, 0);
    }

    #[test]
    fn an_id_is_outdated_by_the_form_that_it_came_in() {
        let id = SessionId::generate(&SystemRandom, 18).unwrap();
        let mut presented = PresentedIds::default();
        presented.push(id.as_str());
        presented.push_outdated(id.as_str());
        presented.push(id.as_str());
        presented.push_outdated(id.as_str());
        presented.push_outdated(id.as_str());
        assert_eq!((0..4).map(|at| presented.is_outdated(at)).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn debug_does_not_show_the_id() {
        let id = SessionId::generate(&SystemRandom, 18).unwrap();
        assert!(!format!("{id:?}").contains(id.as_str()));
    }
}
