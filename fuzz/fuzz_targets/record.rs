//! G2: whatever bytes a store holds under a key: reading them never panics, and what opens is a whole
//! record.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use session_core::{Codec, EncryptedCodec, Envelope, JsonCodec, RecordKey};

/// The key of the seeds.
const KEY: RecordKey = RecordKey::from_bytes([7; 32]);
static ENCRYPTED: LazyLock<EncryptedCodec> = LazyLock::new(|| EncryptedCodec::new(&[9; 32]));

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::from_bytes(KEY, bytes) else { return };
    let codecs: [&dyn Codec; 2] = [&JsonCodec, &*ENCRYPTED];
    for codec in codecs {
        let Ok(record) = envelope.open(codec) else { continue };
        let resealed = Envelope::seal(&record, codec).expect("what was read can be written").to_bytes();
        let again = Envelope::from_bytes(KEY, &resealed).and_then(|envelope| envelope.open(codec));
        assert_eq!(again.expect("what was written can be read"), record);
    }
});
