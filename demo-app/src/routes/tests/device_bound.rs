use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};

use super::*;

/// What the header of a login has between quotes after this name.
fn parameter<'a>(offer: &'a str, name: &str) -> &'a str {
    let (_, rest) = offer.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap()
}

/// The proof of a fresh key, as a browser registers it.
fn registration(challenge: &str) -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = key.der_bytes()[1..].split_at(32);
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encoded(x), encoded(y));
    let header = encoded(format!(r#"{{"alg":"ES256","jwk":{jwk},"typ":"dbsc+jwt"}}"#).as_bytes());
    let signed = format!("{header}.{}", encoded(format!(r#"{{"jti":"{challenge}"}}"#).as_bytes()));
    format!("{signed}.{}", encoded(&fixed(&key.sign(signed.as_bytes()).unwrap())))
}

/// The two numbers of a signature in 32 bytes each. In DER, each has a tag, its length, and a zero in front where its
/// first bit is set.
fn fixed(der: &[u8]) -> Vec<u8> {
    let (first, second) = der[4..].split_at(der[3].into());
    let numbers = [first, &second[2..]].map(|number| {
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        [&vec![0; 32 - number.len()][..], number].concat()
    });
    numbers.concat()
}

/// P51.
#[tokio::test]
async fn a_session_that_is_bound_has_a_badge_for_its_user_and_for_an_administrator() {
    const BADGE: &str = "Bound to its device";
    let demo = Demo::with(&["--https", "--device-bound"]);
    let mut ann = demo.browser();
    let login = ann.post("/demo", LOGIN).await;
    let offer = login.headers["secure-session-registration"].to_str().unwrap();
    let mut admin = demo.visitor();
    assert!(!ann.get("/demo/devices").await.says(BADGE));
    assert!(!admin.send(Method::GET, "/demo/admin", "", &[BEARER]).await.says(BADGE));

    let proof = registration(parameter(offer, "challenge"));
    let registered = ann.send(Method::POST, parameter(offer, "path"), "", &[("secure-session-response", &proof)]).await;
    assert_eq!(registered.status, StatusCode::OK, "{}", registered.body);
    // The first request with the bound cookie begins the enforcement.
    ann.get("/demo").await.assert_says("Hello ann!");
    ann.get("/demo/devices").await.assert_says(BADGE);
    admin.send(Method::GET, "/demo/admin", "", &[BEARER]).await.assert_says(BADGE);
}
