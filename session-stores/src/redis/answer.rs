//! The answers of scripts to a write.

use redis::ErrorKind;
use session_core::{Buried, Created, RecordKey, Renewed, Saved, StoreError, Time};

use crate::refusal::Refusal;

use super::error::unexpected;
use super::value::{self, Pending};

/// An outcome of a write, for which scripts have a word.
pub(super) trait Outcome: Copy + 'static {
    /// All words that the script may answer.
    const WORDS: &'static [(&'static str, Self)];
}

impl Outcome for Created {
    const WORDS: &'static [(&'static str, Self)] = &[("done", Created::Done), ("exists", Created::Exists)];
}

impl Outcome for Saved {
    const WORDS: &'static [(&'static str, Self)] =
        &[("done", Saved::Done), ("conflict", Saved::Conflict), ("missing", Saved::Missing)];
}

impl Outcome for Renewed {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("done", Renewed::Done),
        ("conflict", Renewed::Conflict),
        ("missing", Renewed::Missing),
        ("exists", Renewed::Exists),
    ];
}

impl Outcome for Buried {
    const WORDS: &'static [(&'static str, Self)] = &[("done", Buried::Done), ("conflict", Buried::Conflict)];
}

/// The outcome of replacing an old record by a note that it has moved.
impl Outcome for Result<(), Refusal> {
    const WORDS: &'static [(&'static str, Self)] =
        &[("done", Ok(())), ("conflict", Err(Refusal::Conflict)), ("missing", Err(Refusal::Missing))];
}

/// What was found under a key that is to be deleted.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Removed {
    /// A record, which is deleted. With the hash of its principal, or its key if that was not known.
    Done(Vec<u8>),
    Moved(RecordKey),
    Pending(Pending),
    Missing,
}

/// Reads what a script has found under a key that is to be deleted.
pub(super) fn removed(answer: redis::Value) -> Result<Removed, StoreError> {
    let (word, detail): (String, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
    let removed = match &*word {
        "done" => Some(Removed::Done(detail)),
        "moved" => <[u8; 32]>::try_from(detail).ok().map(|to| Removed::Moved(RecordKey::from_bytes(to))),
        "pending" => Pending::parse(&detail).ok().map(Removed::Pending),
        "missing" => Some(Removed::Missing),
        _ => None,
    };
    removed.ok_or_else(|| unexpected_word(word))
}

/// Reads the attempt under which a pending record is stored. `None` if its key is taken.
pub(super) fn staged(answer: redis::Value) -> Result<Option<u64>, StoreError> {
    let (word, attempt): (redis::Value, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
    let created: Created = outcome(word)?;
    Ok(<[u8; 8]>::try_from(attempt).ok().filter(|_| created == Created::Done).map(u64::from_be_bytes))
}

/// Reads the outcome that a script has answered.
pub(super) fn outcome<T: Outcome>(answer: redis::Value) -> Result<T, StoreError> {
    let word: String = redis::from_redis_value(answer).map_err(unexpected)?;
    let known = T::WORDS.iter().find(|(known, _)| *known == word);
    known.map(|(_, outcome)| *outcome).ok_or_else(|| unexpected_word(word))
}

fn unexpected_word(word: String) -> StoreError {
    unexpected((ErrorKind::UnexpectedReturnType, "a script gave an unexpected answer", word))
}

/// Reads the outcome, and the stored `accessed` if the record was written.
pub(super) fn outcome_and_use<T: Outcome>(answer: redis::Value) -> Result<(T, Option<Time>), StoreError> {
    if !matches!(answer, redis::Value::Array(_)) {
        return Ok((outcome(answer)?, None));
    }
    let (word, accessed): (redis::Value, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
    Ok((outcome(word)?, value::parse_time(&accessed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_a_script_may_not_answer_is_an_error() {
        let word = |word: &str| redis::Value::BulkString(word.as_bytes().to_vec());
        assert_eq!(outcome::<Saved>(word("missing")).unwrap(), Saved::Missing);
        assert!(outcome::<Saved>(word("exists")).unwrap_err().to_string().contains("redis"));
    }
}
