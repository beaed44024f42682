//! How many bytes a value takes as JSON, without writing it.

use std::io;

use serde_json::{Number, Value};

/// The largest size of one session as JSON: its principal, constants, attributes and their names together. 1 MiB
/// (2^20 bytes).
///
/// Every store has this limit, so that an application can change its store. It is the size that Memcached allows.
pub const MAX_SESSION_BYTES: usize = 1 << 20;

/// The bytes that a character takes beside its own: `\n` takes one more, `\u0001` five.
const ESCAPE: [u8; 256] = {
    let mut more = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        more[byte] = 5;
        byte += 1;
    }
    let short = b"\x08\t\n\x0c\r\"\\";
    let mut at = 0;
    while at < short.len() {
        more[short[at] as usize] = 1;
        at += 1;
    }
    more
};

/// A text with its quotes and escapes.
#[inline]
pub(in crate::record) fn text_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let escapes = if may_have_escapes(bytes) { escapes(bytes) } else { 0 };
    2 + bytes.len() + escapes
}

#[cold]
fn escapes(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(ESCAPE[usize::from(*byte)])).sum()
}

/// Whether one of these bytes may be escaped. Looks at eight at a time, as names are counted with each attribute.
#[inline]
fn may_have_escapes(bytes: &[u8]) -> bool {
    if let Some(end) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        return words.iter().chain([end]).any(|word| word_may_have_escapes(u64::from_le_bytes(*word)));
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(start), Some(end)) => {
            let (start, end) = (u32::from_le_bytes(*start), u32::from_le_bytes(*end));
            word_may_have_escapes(u64::from(start) << 32 | u64::from(end))
        }
        _ => bytes.iter().any(|byte| ESCAPE[usize::from(*byte)] > 0),
    }
}

/// Compares each of the eight bytes with a space, a quote and a backslash. A byte after such a one may count too.
#[inline]
fn word_may_have_escapes(word: u64) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (EACH << 7) != 0
}

#[inline]
pub(super) fn unsigned_bytes(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[inline]
pub(super) fn signed_bytes(number: i64) -> usize {
    unsigned_bytes(number.unsigned_abs()) + usize::from(number < 0)
}

pub(super) fn number_bytes(number: &Number) -> usize {
    let mut counter = Counter(0);
    // A number always has a JSON form, and counting can't fail.
    let _ = serde_json::to_writer(&mut counter, number);
    counter.0
}

/// Any value, however deep.
pub(in crate::record) fn value_bytes(value: &Value) -> usize {
    let mut counter = Counter(0);
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.0 += written.len();
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_and_number_takes_what_is_written() {
        let written = |value: &Value| serde_json::to_string(value).unwrap().len();
        for character in (0..=0x2100).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            assert_eq!(text_bytes(&text), written(&text.into()), "{character:?}");
        }
        // Wherever it is in a text of any length.
        for character in ['"', '\\', '\n', '\u{1}', '!', '#', '[', ']', 'ü', '\u{7f}'] {
            for (before, after) in (0..20).flat_map(|before| (0..20).map(move |after| (before, after))) {
                let text = format!("{}{character}{}", "a".repeat(before), "z".repeat(after));
                assert_eq!(text_bytes(&text), written(&text.into()), "{character:?} after {before}, before {after}");
            }
        }
        for shift in 0..64 {
            for number in [u64::MAX >> shift, (u64::MAX >> shift) / 10 * 10] {
                assert_eq!(unsigned_bytes(number), written(&number.into()), "{number}");
                assert_eq!(signed_bytes(number as i64), written(&(number as i64).into()), "{number}");
            }
        }
        for number in [0.0, -0.0, 0.1, 1e16, 1e300, -5e-324, f64::from(0.1_f32)] {
            assert_eq!(number_bytes(&Number::from_f64(number).unwrap()), written(&number.into()), "{number}");
        }
    }
}
