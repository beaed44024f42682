use std::borrow::Cow;

use serde::Deserialize;

use super::bad_proof::BadProof;
use super::json::{self, Object};
use super::jws::Jws;
use super::public_key::PublicKey;

/// What a browser proves when it registers: that it holds the key.
#[non_exhaustive]
pub struct Registration {
    /// The key of the device, which has signed the rest.
    pub key: PublicKey,
    /// The challenge that it answers (`jti`): the text that it was given, if it is honest.
    pub challenge: String,
    /// What came with the challenge, if anything did: the browser returns it.
    pub authorization: Option<String>,
}

/// Verifies a registration, by the key that it has inside. `value` is the whole value of `Secure-Session-Response`.
///
/// That somebody holds a key says nothing of who it is: compare the challenge.
///
/// [`BadProof`] if it has not the form, the key is not one that may be, or it has not signed the proof.
pub fn registration(value: &[u8]) -> Result<Registration, BadProof> {
    let jws = Jws::parse(value)?;
    let key = key_inside(jws.header())?;
    let payload = payload(&jws.payload(&key)?)?;
    Ok(Registration { key, challenge: payload.jti, authorization: payload.authorization })
}

/// Verifies a refresh by the key that was registered, and returns the challenge that it answers (`jti`).
///
/// `value` is the whole value of `Secure-Session-Response`. A key in it is ignored: whoever sent it could have made it.
///
/// [`BadProof`] if it has not the form, or the key has not signed it.
pub fn refresh(value: &[u8], key: &PublicKey) -> Result<String, BadProof> {
    let signed = Jws::parse(value)?.payload(key)?;
    payload(&signed).map(|payload| payload.jti)
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
    #[serde(default)]
    authorization: Option<String>,
}

fn payload(json: &[u8]) -> Result<Payload, BadProof> {
    json::parse(json).ok_or(BadProof::Payload)
}

#[derive(Deserialize)]
struct RegistrationHeader<'a> {
    #[serde(borrow)]
    jwk: Object<Jwk<'a>>,
}

/// A key as JSON (RFC 7517).
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow)]
    crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    x: Option<Cow<'a, str>>,
    #[serde(borrow)]
    y: Option<Cow<'a, str>>,
    #[serde(borrow)]
    n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    /// Every private key has it, of either kind.
    #[serde(default, deserialize_with = "json::is_present")]
    d: bool,
}

fn key_inside(header: &[u8]) -> Result<PublicKey, BadProof> {
    let RegistrationHeader { jwk: Object(jwk) } = json::parse(header).ok_or(BadProof::Key)?;
    if jwk.d {
        return Err(BadProof::PrivateKey);
    }
    match (&*jwk.kty, jwk.crv.as_deref()) {
        ("EC", Some("P-256")) => PublicKey::p256(given(&jwk.x)?, given(&jwk.y)?),
        ("RSA", _) => PublicKey::rsa(given(&jwk.n)?, given(&jwk.e)?),
        _ => Err(BadProof::Key),
    }
}

fn given<'a>(member: &'a Option<Cow<'_, str>>) -> Result<&'a str, BadProof> {
    member.as_deref().ok_or(BadProof::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Chromium 156, in this order, by one key.
    const REGISTRATION: &str = "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6IllVZ0lydE9PVXZMckdNcDNubk5Tb09k\
        YVpFMmk2UDFCQmtFaUVWbzBCanMiLCJ5IjoiTFpQRTZVV3N0WDhtaFAySHJOZHIwSi1OS0VXS1ZnSjJFYWxOUkNBOG4yUSJ9LCJ0\
        eXAiOiJkYnNjK2p3dCJ9.eyJhdXRob3JpemF0aW9uIjoiYWMxIiwianRpIjoiMWRlYWFjOTBkNjUzNmIxMiJ9.NggeED3yXhHR85\
        FRGWYbK7HWYVOD16qAU7trC1Jb-PepFHbbes7Bi702v1E80xfEvXxUNAVkFIUolgPerrvFBg";
    const REFRESH: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiIzM2EwMjUzOTY3YWEifQ.xBU-1jEG99X5a-3bMRx96_FW8\
        cc79GXtv61tmUjTWI8g8OZJLBmOAy_tNYNti6kOqshpZkab24YhhVZ6GGf5aw";

    // D40
    #[test]
    fn a_browsers_registration_and_refresh_are_verified() {
        let registered = registration(REGISTRATION.as_bytes()).expect("it is good");
        assert_eq!(registered.challenge, "1deaac90d6536b12");
        assert_eq!(registered.authorization.as_deref(), Some("ac1"));
        assert_eq!(refresh(REFRESH.as_bytes(), &registered.key).as_deref(), Ok("33a0253967aa"));
    }
}
