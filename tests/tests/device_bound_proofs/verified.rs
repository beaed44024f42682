//! What is verified, what is ignored, and why something is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use session_axum::internals::{BadProof, PublicKey, refresh, registration};
use workspace_tests::{Device, is_installed};

const PAYLOAD: &str = r#"{"jti":"c"}"#;

fn registered(device: &Device) -> PublicKey {
    registration(device.registration("c").as_bytes()).expect("it is good").key
}

/// Why a registration is refused, if it is.
fn refused(value: &str) -> Option<BadProof> {
    registration(value.as_bytes()).err()
}

/// The device's registration, with one text of the header replaced by another, signed.
fn with_header(device: &Device, from: &str, to: &str) -> String {
    let header = device.registration_header();
    assert!(header.contains(from), "{header}");
    device.token(&header.replacen(from, to, 1), PAYLOAD)
}

// D40
#[test]
fn a_registration_tells_the_key_the_challenge_and_the_authorization() {
    let device = Device::p256();
    let plain = registration(device.registration("a challenge").as_bytes()).unwrap();
    assert_eq!((plain.challenge.as_str(), plain.authorization), ("a challenge", None));
    let payload = r#"{"jti":"\u0063","authorization":"a code"}"#;
    let full = registration(device.token(&device.registration_header(), payload).as_bytes()).unwrap();
    assert_eq!((full.challenge.as_str(), full.authorization.as_deref()), ("c", Some("a code")));
    assert!(plain.key == full.key && full.key != registered(&Device::p256()));
}

// D40, D49
#[test]
fn rsa_of_each_size_is_verified() {
    if !is_installed("openssl") {
        return;
    }
    for bits in [2048, 3072, 4096] {
        let device = Device::rsa(bits);
        let key = registered(&device);
        assert_eq!(refresh(device.refresh("c").as_bytes(), &key).as_deref(), Ok("c"), "{bits}");
        assert!(PublicKey::from_stored(&key.to_stored()) == Some(key), "{bits}");
    }
}

// D41
#[test]
fn a_proof_is_a_string_or_a_token_of_a_structured_field() {
    let proof = Device::p256().registration("c");
    for good in [
        proof.clone(),
        format!("\"{proof}\""),
        format!("  {proof} "),
        format!("\"{proof}\";a=1; b=\"x;y\";c"),
        format!("{proof};a=?1"),
    ] {
        assert_eq!(refused(&good), None, "{good}");
    }
    for bad in
        ["", " ", "\"\"\"", "1", "?1", ":YQ==:", "(a)", "a, b", "a b", "\"a", "a\"", "'a'", "a;", "\ta", "a=b", "ä"]
    {
        assert!(matches!(refused(bad), Some(BadProof::Field)), "{bad:?}: {:?}", refused(bad));
    }
    assert_eq!(registration(b"\"\xff\"").err(), Some(BadProof::Field));
}

// D42
#[test]
fn a_refresh_is_verified_by_the_stored_key_alone() {
    let [owner, thief] = [Device::p256(), Device::p256()];
    let key = registered(&owner);
    assert_eq!(refresh(owner.refresh("c").as_bytes(), &key).as_deref(), Ok("c"));
    for forged in [thief.refresh("c"), thief.registration("c"), thief.token(&owner.registration_header(), PAYLOAD)] {
        assert_eq!(refresh(forged.as_bytes(), &key), Err(BadProof::Signature), "{forged}");
    }
    // A key inside is nothing but ballast, whose ever it is.
    let ballast = owner.token(&thief.registration_header(), PAYLOAD);
    assert_eq!(refresh(ballast.as_bytes(), &key).as_deref(), Ok("c"));
    assert_eq!(refused(&ballast), Some(BadProof::Signature));
}

// D43
#[test]
fn only_es256_and_rs256_are_known_and_only_with_their_own_keys() {
    let device = Device::p256();
    for name in ["none", "None", "HS256", "HS512", "es256", "ES256K", "ES384", "RS512", "PS256", "EdDSA", "", "ES256 "]
    {
        let forged = with_header(&device, "\"ES256\"", &format!("\"{name}\""));
        assert_eq!(refused(&forged), Some(BadProof::Algorithm), "{name}");
        assert_eq!(refresh(forged.as_bytes(), &registered(&device)), Err(BadProof::Algorithm), "{name}");
    }
    let other = with_header(&device, "\"ES256\"", "\"RS256\"");
    assert_eq!(refused(&other), Some(BadProof::OtherAlgorithm));
    assert_eq!(refresh(other.as_bytes(), &registered(&device)), Err(BadProof::OtherAlgorithm));
}

// D44, D45
#[test]
fn another_type_and_any_extension_are_refused() {
    let device = Device::p256();
    for other in ["JWT", "dbsc+JWT", "application/dbsc+jwt", ""] {
        assert_eq!(refused(&with_header(&device, "dbsc+jwt", other)), Some(BadProof::Type), "{other}");
    }
    for extension in [r#""crit":["b64"],"b64":false,"#, r#""crit":[],"#, r#""crit":null,"#] {
        let forged = with_header(&device, "{", &format!("{{{extension}"));
        assert_eq!(refused(&forged), Some(BadProof::Critical), "{extension}");
    }
    for missing in ["alg", "typ"] {
        let forged = with_header(&device, &format!("\"{missing}\""), "\"other\"");
        assert_eq!(refused(&forged), Some(BadProof::Header), "{missing}");
    }
}

// D46
#[test]
fn what_matters_is_there_once() {
    let device = Device::p256();
    for member in ["\"alg\":\"ES256\"", "\"typ\":\"dbsc+jwt\"", "\"\\u0061lg\":\"none\""] {
        let forged = with_header(&device, "{", &format!("{{{member},"));
        assert_eq!(refused(&forged), Some(BadProof::Header), "{member}");
    }
    for member in [device.jwk(), Device::p256().jwk()] {
        let forged = with_header(&device, "{", &format!("{{\"jwk\":{member},"));
        assert_eq!(refused(&forged), Some(BadProof::Key), "{member}");
    }
    for payload in
        [r#"{"jti":"c","jti":"c"}"#, r#"{"jti":"c","authorization":"a","authorization":"a"}"#, r#"["c"]"#, "{}"]
    {
        let forged = device.token(&device.registration_header(), payload);
        assert_eq!(refused(&forged), Some(BadProof::Payload), "{payload}");
    }
    // Whoever is not the owner finds out nothing of a payload.
    let forged = Device::p256().token(&device.registration_header(), "{}");
    assert_eq!(refused(&forged), Some(BadProof::Signature));
}

// D47
#[test]
fn only_one_text_stands_for_a_signature() {
    let proof = Device::p256().registration("c");
    let last = proof.as_bytes()[proof.len() - 1];
    let others: Vec<u8> =
        (b'!'..=b'~').filter(|letter| URL_SAFE_NO_PAD.decode(format!("AAA{}", *letter as char)).is_ok()).collect();
    assert_eq!(others.len(), 64);
    for other in others.into_iter().filter(|other| *other != last) {
        let forged = format!("{}{}", &proof[..proof.len() - 1], other as char);
        // The letter has two bits of the signature, and four that must be zero.
        assert!(matches!(refused(&forged), Some(BadProof::Parts | BadProof::Signature)), "{forged}");
    }
    for forged in [format!("{proof}="), proof.replacen('.', "=.", 1), format!("{proof}."), proof.replacen('.', "", 1)] {
        assert_eq!(refused(&format!("\"{forged}\"")), Some(BadProof::Parts), "{forged}");
    }
}

// D48
#[test]
fn a_registration_needs_a_public_key_on_the_curve() {
    let device = Device::p256();
    let [x, y] = device.numbers().map(|number| URL_SAFE_NO_PAD.encode(number));
    for (from, to, reason) in [
        ("{\"crv\"", "{\"d\":\"AAAA\",\"crv\"", BadProof::PrivateKey),
        ("{\"crv\"", "{\"d\":null,\"crv\"", BadProof::PrivateKey),
        ("P-256", "P-384", BadProof::Key),
        ("P-256", "secp256k1", BadProof::Key),
        ("\"crv\"", "\"was\"", BadProof::Key),
        ("\"EC\"", "\"oct\"", BadProof::Key),
        ("\"EC\"", "\"OKP\"", BadProof::Key),
        ("\"EC\"", "\"RSA\"", BadProof::Key),
        ("\"x\"", "\"was\"", BadProof::Key),
        ("\"jwk\"", "\"was\"", BadProof::Key),
        // Off the curve.
        (&*x, &*y, BadProof::Signature),
        (&*y, &*x, BadProof::Signature),
        (&*y, &*URL_SAFE_NO_PAD.encode([0; 32]), BadProof::Signature),
        (&*y, &*URL_SAFE_NO_PAD.encode([0xff; 32]), BadProof::Signature),
    ] {
        assert_eq!(refused(&with_header(&device, from, to)), Some(reason), "{to}");
    }
}

// D52
#[test]
fn the_other_signature_of_the_same_numbers_is_as_good() {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let device = Device::p256();
    let proof = device.refresh("c");
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for place in (0..32).rev() {
        let digit = i32::from(ORDER[place]) - i32::from(signature[32 + place]) - borrow;
        borrow = i32::from(digit < 0);
        signature[32 + place] = digit.rem_euclid(256) as u8;
    }
    let other = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert_ne!(other, proof);
    assert_eq!(refresh(other.as_bytes(), &registered(&device)).as_deref(), Ok("c"));
}

// D53
#[test]
fn claims_of_older_drafts_are_neither_needed_nor_checked() {
    let device = Device::p256();
    for claims in [
        r#""aud":"https://elsewhere.example/","iat":1,"sub":"nobody""#,
        r#""aud":["a"],"iat":"never","sub":null,"iat":2"#,
        r#""key":{"kty":"oct"},"exp":0,"nbf":9e99"#,
    ] {
        let payload = format!(r#"{{{claims},"jti":"c"}}"#);
        let proof = device.token(&device.refresh_header(), &payload);
        assert_eq!(refresh(proof.as_bytes(), &registered(&device)).as_deref(), Ok("c"), "{claims}");
        assert_eq!(refused(&device.token(&device.registration_header(), &payload)), None, "{claims}");
    }
}

// D54
#[test]
fn a_proof_of_8192_bytes_is_read_and_no_longer_one() {
    let device = Device::p256();
    let proof = device.registration("c");
    let longest = format!("{proof}{}", " ".repeat(8192 - proof.len()));
    assert_eq!(refused(&longest), None);
    assert_eq!(refused(&format!("{longest} ")), Some(BadProof::TooLong));
}

// D55
#[test]
fn a_reason_holds_nothing_that_came() {
    let device = Device::p256();
    for forged in [
        with_header(&device, "\"ES256\"", "\"MARKER\""),
        with_header(&device, "\"dbsc+jwt\"", "\"MARKER\""),
        with_header(&device, "P-256", "MARKER"),
        device.token(&device.registration_header(), r#"{"jti":["MARKER"]}"#),
        "MARKER".to_owned(),
        "MARKER MARKER".to_owned(),
    ] {
        let reason = refused(&forged).expect("it is bad");
        assert!(!format!("{reason} {reason:?}").contains("MARKER"), "{reason}");
        assert!(std::error::Error::source(&reason).is_none());
    }
}
