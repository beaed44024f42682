//! Writes the seeds of the `record` target, to be run when the format of records has changed:
//! `cargo run --example write_seeds`.

use std::time::Duration;

use session_core::{Codec, EncryptedCodec, Envelope, JsonCodec, Record, RecordKey, Time, Version};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bare = Record {
        key: RecordKey::from_bytes([7; 32]),
        version: Version::from_number(1 << 32),
        created: Time::from_unix_millis(1_767_225_600_000),
        accessed: Time::from_unix_millis(1_767_225_660_000),
        idle_timeout: Duration::from_secs(1800),
        absolute_deadline: None,
        persistent: false,
        principal: None,
        constants: Default::default(),
        attributes: Default::default(),
    };
    let attributes = [("Count", 1.5.into()), ("Cart", vec!["a", "b"].into()), ("Nothing", Default::default())];
    let full = Record {
        absolute_deadline: Some(Time::from_unix_millis(1_767_312_000_000)),
        persistent: true,
        principal: Some("ann".into()),
        constants: [("UserName".to_owned(), "ann".into())].into_iter().collect(),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        ..bare.clone()
    };
    let encrypted = EncryptedCodec::new(&[9; 32]);
    let codecs: [(&str, &dyn Codec); 2] = [("json", &JsonCodec), ("encrypted", &encrypted)];
    for (codec_name, codec) in codecs {
        for (name, record) in [("bare", &bare), ("full", &full)] {
            let path = format!("{}/seeds/record/{codec_name}_{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, Envelope::seal(record, codec)?.to_bytes())?;
        }
    }
    Ok(())
}
