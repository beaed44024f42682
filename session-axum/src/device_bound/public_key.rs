use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};

use super::bad_proof::BadProof;

/// Each coordinate of a point of P-256.
const COORDINATE_BYTES: usize = 32;

/// How a key signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Es256,
    Rs256,
}

impl Algorithm {
    /// Its name in a JWS, which is compared as it is written.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Algorithm::Es256, Algorithm::Rs256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
        }
    }
}

/// The key of a device that verifies what it signs: of P-256 for ES256, or of RSA with 2048 to 4096 bits for RS256.
///
/// `Debug` shows the algorithm alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Numbers);

#[derive(Clone, PartialEq, Eq)]
enum Numbers {
    /// The point, uncompressed: 4, x, y. Whether it is one of the curve is known after verifying only.
    P256([u8; 1 + 2 * COORDINATE_BYTES]),
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl PublicKey {
    /// A key of P-256, from the coordinates as a JWK has them.
    pub(super) fn p256(x: &str, y: &str) -> Result<Self, BadProof> {
        let mut point = [4; 1 + 2 * COORDINATE_BYTES];
        let (to_x, to_y) = point[1..].split_at_mut(COORDINATE_BYTES);
        for (coordinate, to) in [(x, to_x), (y, to_y)] {
            let bytes = decode(coordinate)?;
            if bytes.len() != COORDINATE_BYTES {
                return Err(BadProof::Key);
            }
            to.copy_from_slice(&bytes);
        }
        Ok(PublicKey(Numbers::P256(point)))
    }

    /// A key of RSA, from modulus and exponent as a JWK has them.
    pub(super) fn rsa(n: &str, e: &str) -> Result<Self, BadProof> {
        let (n, e) = (decode(n)?, decode(e)?);
        if [&n, &e].into_iter().any(|number| number.first() == Some(&0)) {
            // Two texts would stand for one key.
            return Err(BadProof::Key);
        }
        // Larger numbers take longer to verify, and no device has them.
        let is_n = (2048..=4096).contains(&bits(&n)) && is_odd(&n);
        let is_e = (2..=32).contains(&bits(&e)) && is_odd(&e);
        if is_n && is_e { Ok(PublicKey(Numbers::Rsa { n, e })) } else { Err(BadProof::RsaLimits) }
    }

    /// Reads what [`to_stored`](PublicKey::to_stored) has written. `None` if it is anything else.
    pub fn from_stored(stored: &str) -> Option<Self> {
        let mut parts = stored.split('.');
        let (name, first, second) = (parts.next()?, parts.next()?, parts.next()?);
        let key = match Algorithm::from_name(name)? {
            Algorithm::Es256 => PublicKey::p256(first, second),
            Algorithm::Rs256 => PublicKey::rsa(first, second),
        };
        key.ok().filter(|_| parts.next().is_none())
    }

    /// The key as text of at most 800 bytes, for a store: letters, digits, `-`, `_` and `.`. Equal keys have equal texts.
    pub fn to_stored(&self) -> String {
        let (first, second) = match &self.0 {
            Numbers::P256(point) => point[1..].split_at(COORDINATE_BYTES),
            Numbers::Rsa { n, e } => (&n[..], &e[..]),
        };
        let [first, second] = [first, second].map(|number| URL_SAFE_NO_PAD.encode(number));
        format!("{}.{first}.{second}", self.algorithm().name())
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.0 {
            Numbers::P256(_) => Algorithm::Es256,
            Numbers::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether the key signed the message. With ES256 there are two signatures for each that the device makes (s and n - s),
    /// and both are good: a signature identifies nothing.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), BadProof> {
        if algorithm != self.algorithm() {
            return Err(BadProof::OtherAlgorithm);
        }
        let verified = match &self.0 {
            Numbers::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Numbers::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| BadProof::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&format_args!("{}", self.algorithm().name())).finish()
    }
}

fn decode(number: &str) -> Result<Vec<u8>, BadProof> {
    URL_SAFE_NO_PAD.decode(number).map_err(|_| BadProof::Key)
}

/// How many bits a number has that does not begin with a zero.
fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number 2^(bits - 1) + 1, as a JWK has it.
    fn odd(bits: usize) -> String {
        let mut number = vec![0; bits.div_ceil(8)];
        number[0] = 1 << ((bits - 1) % 8);
        *number.last_mut().unwrap() |= 1;
        encoded(&number)
    }

    fn encoded(number: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(number)
    }

    fn rsa(n: &str, e: &str) -> Option<BadProof> {
        PublicKey::rsa(n, e).err()
    }

    // D49
    #[test]
    fn rsa_keys_have_2048_to_4096_bits() {
        for bits in [2048, 2049, 3072, 4095, 4096] {
            assert_eq!(rsa(&odd(bits), "AQAB"), None, "{bits}");
        }
        for bits in [1, 512, 1024, 2047, 4097, 4104, 8192, 40_000] {
            assert_eq!(rsa(&odd(bits), "AQAB"), Some(BadProof::RsaLimits), "{bits}");
        }
        let mut even = vec![0xff; 256];
        even[255] = 0xfe;
        assert_eq!(rsa(&encoded(&even), "AQAB"), Some(BadProof::RsaLimits));
        assert_eq!(rsa("", "AQAB"), Some(BadProof::RsaLimits));
    }

    // D49
    #[test]
    fn rsa_exponents_are_odd_from_3_to_32_bits() {
        let n = odd(2048);
        for e in [&[3][..], &[1, 0, 1], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(rsa(&n, &encoded(e)), None, "{e:?}");
        }
        for e in [&[][..], &[1], &[2], &[4], &[1, 0, 0], &[1, 0, 0, 0, 1], &[0xff; 8], &[0xff; 256]] {
            assert_eq!(rsa(&n, &encoded(e)), Some(BadProof::RsaLimits), "{e:?}");
        }
    }

    // D50
    #[test]
    fn one_text_stands_for_one_key() {
        let n = odd(2048);
        for (n, e) in [
            (&*n, "AAEAAQ"),
            (&*n, "AQAB="),
            (&*n, "AQA="),
            (&*n, "AQ+B"),
            (&*n, " AQAB"),
            (&*encoded(&[0; 257]), "AQAB"),
        ] {
            assert_eq!(rsa(n, e), Some(BadProof::Key), "{e}");
        }
        let coordinate = encoded(&[7; 32]);
        assert!(PublicKey::p256(&coordinate, &coordinate).is_ok());
        for other in [encoded(&[7; 31]), encoded(&[7; 33]), encoded(&[7; 64]), String::new(), format!("{coordinate}=")]
        {
            assert_eq!(PublicKey::p256(&coordinate, &other).err(), Some(BadProof::Key), "{other}");
            assert_eq!(PublicKey::p256(&other, &coordinate).err(), Some(BadProof::Key), "{other}");
        }
    }

    // D51
    #[test]
    fn a_key_is_stored_and_read_again() {
        let coordinates = [encoded(&[7; 32]), encoded(&[9; 32])];
        let keys = [
            PublicKey::p256(&coordinates[0], &coordinates[1]).unwrap(),
            PublicKey::p256(&coordinates[1], &coordinates[0]).unwrap(),
            PublicKey::rsa(&odd(2048), "AQAB").unwrap(),
            PublicKey::rsa(&odd(2048), "Aw").unwrap(),
            PublicKey::rsa(&odd(4096), "AQAB").unwrap(),
        ];
        for (number, key) in keys.iter().enumerate() {
            let stored = key.to_stored();
            assert!(stored.len() <= 800, "{}", stored.len());
            assert_eq!(
                keys.iter().position(|other| PublicKey::from_stored(&stored).as_ref() == Some(other)),
                Some(number)
            );
        }
    }

    // D51
    #[test]
    fn what_was_not_stored_is_no_key() {
        let good = PublicKey::rsa(&odd(2048), "AQAB").unwrap().to_stored();
        let rest = good.strip_prefix("RS256.").unwrap();
        let short = PublicKey::rsa(&odd(2048), "AQAB").unwrap().to_stored().replacen("RS256.g", "RS256.A", 1);
        for bad in [
            "",
            "ES256",
            "ES256..",
            &format!("ES256.{rest}"),
            &format!("rs256.{rest}"),
            &format!("RS256.{rest}.AQAB"),
            &format!("RS256.{rest} "),
            &format!("HS256.{rest}"),
            &format!("none.{rest}"),
            &short,
            &good[..good.len() - 1],
        ] {
            assert!(PublicKey::from_stored(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_the_algorithm_alone() {
        assert_eq!(format!("{:?}", PublicKey::rsa(&odd(2048), "AQAB").unwrap()), "PublicKey(RS256)");
    }
}
