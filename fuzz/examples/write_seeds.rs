//! Writes the seeds of the `record` target, to be run when the format of records has changed:
//! `cargo run --example write_seeds`.

use std::time::Duration;

use session_core::{Codec, EncryptedCodec, Envelope, JsonCodec, Record, RecordKey, Time, Version};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (key, started) = (RecordKey::from_bytes([7; 32]), Time::from_unix_millis(1_767_225_600_000));
    let mut bare = Record::new(key, Version::from_number(1 << 32), started, Duration::from_secs(1800));
    bare.accessed = Time::from_unix_millis(1_767_225_660_000);
    let attributes = [("Count", 1.5.into()), ("Cart", vec!["a", "b"].into()), ("Nothing", Default::default())];
    let mut full = bare.clone();
    full.absolute_deadline = Some(Time::from_unix_millis(1_767_312_000_000));
    full.persistent = true;
    full.principal = Some("ann".into());
    full.constants = [("UserName".to_owned(), "ann".into())].into_iter().collect();
    full.attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    let encrypted = EncryptedCodec::new(&[9; 32]);
    let codecs: [(&str, &dyn Codec); 2] = [("json", &JsonCodec), ("encrypted", &encrypted)];
    for (codec_name, codec) in codecs {
        for (name, record) in [("bare", &bare), ("full", &full)] {
            let path = format!("{}/seeds/record/{codec_name}_{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, Envelope::seal(record, codec)?.to_bytes())?;
        }
    }
    // No release writes this, but somebody who can write to the store may.
    full.extensions = [("later".to_owned(), true.into())].into_iter().collect();
    let mut of_the_first_format = Envelope::seal(&full, &JsonCodec)?;
    of_the_first_format.body[0] = 1;
    let path = format!("{}/seeds/record/json_extensions_in_the_first_format", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(path, of_the_first_format.to_bytes())?;
    Ok(())
}
