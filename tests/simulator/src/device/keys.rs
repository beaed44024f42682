//! The keys of devices, and what they sign. They are made once for all worlds: making one takes as long as a world.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// A key that its device never gives away.
pub struct Key {
    /// Its number, by which a world knows it.
    pub number: usize,
    pair: EcdsaKeyPair,
    /// The first part of a registration, which has the public key.
    registration: String,
    /// The first part of a refresh.
    refresh: String,
}

/// The number of the key that a thief has made for itself.
pub const OF_THIEF: usize = 0;

/// More than one world ever registers.
const KEYS: usize = 256;

static RANDOM: LazyLock<SystemRandom> = LazyLock::new(SystemRandom::new);
static ALL: LazyLock<Vec<Key>> = LazyLock::new(|| (0..KEYS).map(Key::generate).collect());

/// The key of this number.
pub fn key(number: usize) -> &'static Key {
    &ALL[number % KEYS]
}

impl Key {
    fn generate(number: usize) -> Self {
        let stored = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &*RANDOM).expect("random bytes");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, stored.as_ref(), &*RANDOM);
        let pair = pair.expect("it is a key");
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let registration = encoded(&format!(r#"{{"alg":"ES256","jwk":{jwk},"typ":"dbsc+jwt"}}"#));
        Key { number, pair, registration, refresh: encoded(r#"{"alg":"ES256","typ":"dbsc+jwt"}"#) }
    }

    /// The proof that registers the key.
    pub fn registration(&self, challenge: &str) -> String {
        self.signed(&self.registration, challenge)
    }

    /// The proof that refreshes a session.
    pub fn refresh(&self, challenge: &str) -> String {
        self.signed(&self.refresh, challenge)
    }

    fn signed(&self, header: &str, challenge: &str) -> String {
        let signed = format!("{header}.{}", encoded(&format!(r#"{{"jti":"{challenge}"}}"#)));
        let signature = self.pair.sign(&*RANDOM, signed.as_bytes()).expect("random bytes");
        format!("\"{signed}.{}\"", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The number of the key that a registration has inside.
pub fn number_in(proof: &str) -> Option<usize> {
    let header = proof.trim_matches('"').split('.').next()?;
    ALL.iter().position(|key| key.registration == header)
}

/// The challenge that a proof has inside. Nothing is verified.
pub fn signed_challenge(proof: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(proof.trim_matches('"').split('.').nth(1)?).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Some(payload.get("jti")?.as_str()?.to_owned())
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
