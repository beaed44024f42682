use crate::record::RecordKey;

/// A key is a SHA-256, so its own bytes are as good as any hash of them.
pub(super) fn hash(key: &RecordKey) -> u64 {
    let [first, ..] = key.as_bytes().as_chunks::<8>().0 else { unreachable!("a key has 32 bytes") };
    u64::from_le_bytes(*first)
}
