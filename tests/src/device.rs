use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

/// A device that has a key of its own, and proves that it has it as browsers do.
pub struct Device {
    key: Key,
    random: SystemRandom,
}

enum Key {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Device {
    /// With a fresh key of P-256.
    pub fn p256() -> Self {
        let random = SystemRandom::new();
        let stored = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("random bytes");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, stored.as_ref(), &random);
        Device { key: Key::P256(key.expect("it is a key")), random }
    }

    /// With a fresh key of RSA, made by the program `openssl`.
    ///
    /// # Panics
    ///
    /// If the program is not installed.
    pub fn rsa(bits: usize) -> Self {
        let size = format!("rsa_keygen_bits:{bits}");
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &size, "-outform", "DER"])
            .output()
            .expect("openssl is installed");
        // Some versions leave out the envelope.
        let key = RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout));
        Device { key: Key::Rsa(key.expect("it is a key")), random: SystemRandom::new() }
    }

    /// How it signs, as `alg` names it.
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::P256(_) => "ES256",
            Key::Rsa(_) => "RS256",
        }
    }

    /// The two numbers of its public key: x and y, or n and e.
    pub fn numbers(&self) -> [Vec<u8>; 2] {
        match &self.key {
            Key::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                [x.to_vec(), y.to_vec()]
            }
            Key::Rsa(key) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
                [n, e]
            }
        }
    }

    /// Its public key, as JSON.
    pub fn jwk(&self) -> String {
        let [first, second] = self.numbers().map(|number| encoded(&number));
        match self.key {
            Key::P256(_) => format!(r#"{{"crv":"P-256","kty":"EC","x":"{first}","y":"{second}"}}"#),
            Key::Rsa(_) => format!(r#"{{"e":"{second}","kty":"RSA","n":"{first}"}}"#),
        }
    }

    /// What a browser's first proof has for a header.
    pub fn registration_header(&self) -> String {
        format!(r#"{{"alg":"{}","jwk":{},"typ":"dbsc+jwt"}}"#, self.algorithm(), self.jwk())
    }

    /// What its later ones have.
    pub fn refresh_header(&self) -> String {
        format!(r#"{{"alg":"{}","typ":"dbsc+jwt"}}"#, self.algorithm())
    }

    /// The first proof, for this challenge.
    pub fn registration(&self, challenge: &str) -> String {
        self.token(&self.registration_header(), &format!(r#"{{"jti":"{challenge}"}}"#))
    }

    /// A later proof, for this challenge.
    pub fn refresh(&self, challenge: &str) -> String {
        self.token(&self.refresh_header(), &format!(r#"{{"jti":"{challenge}"}}"#))
    }

    /// A token with these texts, whatever they are, and a good signature.
    pub fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(payload.as_bytes()));
        format!("{signed}.{}", encoded(&self.sign(signed.as_bytes())))
    }

    /// The signature of any bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::P256(key) => key.sign(&self.random, message).expect("random bytes").as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature).expect("it fits");
                signature
            }
        }
    }

    /// Signs by RSA in another way than RS256. `None` if the key is not of RSA.
    pub fn sign_otherwise(&self, how: &'static dyn ring::signature::RsaEncoding, message: &[u8]) -> Option<Vec<u8>> {
        let Key::Rsa(key) = &self.key else { return None };
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(how, &self.random, message, &mut signature).expect("it fits");
        Some(signature)
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
