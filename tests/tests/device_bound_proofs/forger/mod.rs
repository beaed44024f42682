//! Makes proofs that nobody may accept, from good ones: each kind knows what it breaks.

mod headers;
mod keys;
mod signatures;
mod texts;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use session_axum::internals::{PublicKey, registration};
use workspace_tests::{Device, is_installed};

use workspace_tests::random::Random;

pub use headers::THIEF_INSIDE;

/// A forged proof.
pub struct Forged {
    /// What was done to it.
    pub kind: &'static str,
    /// What the client sends.
    pub value: Vec<u8>,
}

/// A kind of forgery, by its name.
type Kind = (&'static str, fn(&mut Forger) -> String);

/// Has devices of honest owners, of which it may ask any signature, and devices of its own.
pub struct Forger {
    owners: Vec<Device>,
    thieves: Vec<Device>,
    keys: Vec<PublicKey>,
    random: Random,
    kinds: Vec<Kind>,
}

impl Forger {
    /// With one owner for each algorithm; without RSA where `openssl` is missing, which is said.
    pub fn new() -> Self {
        let devices = || {
            let mut devices = vec![Device::p256(), Device::p256()];
            if is_installed("openssl") {
                devices.push(Device::rsa(2048));
            }
            devices
        };
        let owners = devices();
        let keys = owners.iter().map(|owner| registration(owner.registration("c").as_bytes()).unwrap().key).collect();
        let kinds = [headers::KINDS, signatures::KINDS, keys::KINDS, texts::KINDS].concat();
        Forger { owners, thieves: devices(), keys, random: Random(0), kinds }
    }

    /// The honest owners' devices.
    pub fn owners(&self) -> &[Device] {
        &self.owners
    }

    /// What the owners have registered.
    pub fn keys_of_owners(&self) -> &[PublicKey] {
        &self.keys
    }

    /// All kinds.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|(name, _)| *name).collect()
    }

    /// The forgery with this number. It breaks the same thing each time, though signatures are made anew.
    pub fn forge(&mut self, number: u64) -> Forged {
        self.random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..4 {
            self.random.below(2);
        }
        let (kind, make) = self.kinds[number as usize % self.kinds.len()];
        let value = make(self);
        let value = if self.random.below(4) == 0 { format!("\"{value}\"") } else { value };
        Forged { kind, value: value.into_bytes() }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }

    fn one_of<'a, T: ?Sized>(&mut self, things: &[&'a T]) -> &'a T {
        things[self.below(things.len())]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// Signing by RSA takes a millisecond, so it is rarer.
    fn rarely_rsa(&mut self, devices: usize) -> usize {
        if devices > 2 && self.below(8) == 0 { 2 } else { self.below(2) }
    }

    fn owner(&mut self) -> usize {
        self.rarely_rsa(self.owners.len())
    }

    fn thief(&mut self) -> usize {
        self.rarely_rsa(self.thieves.len())
    }

    /// A good registration or refresh of an owner.
    fn good_proof(&mut self) -> String {
        let owner = self.owner();
        let challenge = self.challenge();
        let owner = &self.owners[owner];
        if self.random.below(2) == 0 { owner.registration(&challenge) } else { owner.refresh(&challenge) }
    }

    /// The header of a registration or a refresh of this device.
    fn good_header(&mut self, device: &Device) -> String {
        if self.below(2) == 0 { device.registration_header() } else { device.refresh_header() }
    }

    fn challenge(&mut self) -> String {
        let bytes = self.bytes(24);
        encoded(&bytes)
    }

    fn payload(&mut self) -> String {
        let challenge = self.challenge();
        match self.below(3) {
            0 => format!(r#"{{"authorization":"code","jti":"{challenge}"}}"#),
            _ => format!(r#"{{"jti":"{challenge}"}}"#),
        }
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a token's signature is about, and the signature.
fn cut(token: &str) -> (&str, Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').expect("it has three parts");
    (signed, URL_SAFE_NO_PAD.decode(signature).expect("it is base64url"))
}

fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}", encoded(header.as_bytes()), encoded(payload.as_bytes()))
}

fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", encoded(signature))
}
