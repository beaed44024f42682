//! A signed token in its compact form (JWS, RFC 7515), as a browser sends it in a header.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sfv::{BareItemFromInput, Parser};

use super::bad_proof::BadProof;
use super::json;
use super::public_key::{Algorithm, PublicKey};

/// The largest proof, with an RSA key of 4096 bits, takes 2 KiB and what the application gave for `authorization`.
const MAX_BYTES: usize = 8192;

/// A token whose header is known, and whose signature nobody has verified.
pub(super) struct Jws<'a> {
    /// What the signature is about.
    signed: &'a str,
    header: Vec<u8>,
    algorithm: Algorithm,
    payload: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(default, deserialize_with = "json::is_present")]
    crit: bool,
}

impl<'a> Jws<'a> {
    /// Takes the header's value apart: a string or a token of RFC 9651. Browsers send a token.
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, BadProof> {
        if value.len() > MAX_BYTES {
            return Err(BadProof::TooLong);
        }
        let (signed, signature) = text(value)?.rsplit_once('.').ok_or(BadProof::Parts)?;
        let (header, payload) =
            signed.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(BadProof::Parts)?;
        let (header, signature) = (decode(header)?, decode(signature)?);
        let algorithm = algorithm(&header)?;
        Ok(Jws { signed, header, algorithm, payload, signature })
    }

    /// The JSON of the header.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The JSON that was signed by this key. Before the signature is verified, nothing of it is even decoded.
    pub(super) fn payload(&self, key: &PublicKey) -> Result<Vec<u8>, BadProof> {
        key.verify(self.algorithm, self.signed.as_bytes(), &self.signature)?;
        decode(self.payload)
    }
}

/// The text of a structured field. Its parameters mean nothing here, so they are ignored.
fn text(value: &[u8]) -> Result<&str, BadProof> {
    match Parser::new(value).parse_item::<BareItemFromInput<'_>>() {
        Ok(BareItemFromInput::String(Cow::Borrowed(text))) => Ok(text.as_str()),
        // A character that had to be escaped is in no part of a token.
        Ok(BareItemFromInput::String(Cow::Owned(_))) => Err(BadProof::Parts),
        Ok(BareItemFromInput::Token(text)) => Ok(text.as_str()),
        _ => Err(BadProof::Field),
    }
}

/// Only one text stands for given bytes: there is no padding, and bits that are left over are zero.
fn decode(part: &str) -> Result<Vec<u8>, BadProof> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| BadProof::Parts)
}

fn algorithm(header: &[u8]) -> Result<Algorithm, BadProof> {
    let header: Header<'_> = json::parse(header).ok_or(BadProof::Header)?;
    if header.typ != "dbsc+jwt" {
        Err(BadProof::Type)
    } else if header.crit {
        Err(BadProof::Critical)
    } else {
        Algorithm::from_name(&header.alg).ok_or(BadProof::Algorithm)
    }
}
