//! D65: whatever a client sends for the proof of a device: reading it never panics, and what is accepted was signed by the
//! key, for a header and a payload that another reader of JSON reads in the same way.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;
use session_axum::internals::{PublicKey, refresh, registration};

struct Device {
    key: EcdsaKeyPair,
    random: SystemRandom,
    registered: PublicKey,
}

static DEVICE: LazyLock<Device> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let stored = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random bytes");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, stored.as_ref(), &random).expect("it is a key");
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let text = format!("ES256.{}.{}", encoded(x), encoded(y));
    let registered = PublicKey::from_stored(&text).expect("it is as it is stored");
    Device { key, random, registered }
});

// The first byte chooses what the others are: a whole value; header, payload and signature, with zeros between them; or a
// header and a payload that the device signs; or a key as a store has it.
fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let [header, payload, signature] = [(); 3].map(|()| parts.next().unwrap_or_default());
    match choice % 4 {
        0 => nobody_signed(rest),
        1 => nobody_signed(&token(header, payload, signature)),
        2 => the_device_signed(header, payload),
        _ => is_stored(rest),
    }
});

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(header: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    format!("{}.{}.{}", encoded(header), encoded(payload), encoded(signature)).into_bytes()
}

/// The device has nothing to do with it. Another may have signed it, as those of the seeds.
fn nobody_signed(value: &[u8]) {
    assert!(refresh(value, &DEVICE.registered).is_err(), "accepted");
    let Ok(registered) = registration(value) else { return };
    assert!(registered.key != DEVICE.registered, "registered for another");
    assert_eq!(refresh(value, &registered.key), Ok(registered.challenge));
    is_stored(registered.key.to_stored().as_bytes());
}

fn the_device_signed(header: &[u8], payload: &[u8]) {
    let signed = format!("{}.{}", encoded(header), encoded(payload));
    let signature = DEVICE.key.sign(&DEVICE.random, signed.as_bytes()).expect("random bytes");
    let value = format!("{signed}.{}", encoded(signature.as_ref()));
    let Ok(challenge) = refresh(value.as_bytes(), &DEVICE.registered) else { return };
    let [Ok(header), Ok(payload)] = [header, payload].map(serde_json::from_slice::<Value>) else {
        // In a member that is ignored, such as a number that is too large.
        return;
    };
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"dbsc+jwt".into()), "{header}");
    assert!(header.is_object() && header.get("crit").is_none(), "{header}");
    assert_eq!(payload["jti"], *challenge, "{payload}");
}

/// One text stands for a key.
fn is_stored(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let Some(key) = PublicKey::from_stored(text) else { return };
    assert_eq!(key.to_stored(), text);
}
