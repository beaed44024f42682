//! Headers: algorithms, types, extensions, keys of others, members that come twice.

use ring::hmac;

use super::{Forger, Kind, encoded, unsigned, with_signature};
use workspace_tests::Device;

pub const KINDS: &[Kind] = &[
    ("another algorithm, signed by the owner", other_algorithm),
    ("an algorithm that is no text", algorithm_is_no_text),
    ("no signature", none),
    ("an HMAC by the public key", hmac_by_the_public_key),
    ("another type, signed by the owner", other_type),
    ("an extension, signed by the owner", critical),
    (THIEF_INSIDE, thief_inside),
    ("the owner's key inside, signed by the thief", owner_inside),
    ("keys that are elsewhere, signed by the thief", keys_elsewhere),
    ("a member of the header twice, signed by the owner", twice),
    ("two keys, signed by the thief", two_keys),
    ("another algorithm than the key's, signed by the owner", algorithm_of_another_key),
];

/// The one kind that is good somewhere: it registers the thief's own key, and no owner's.
pub const THIEF_INSIDE: &str = "the thief's own key inside";

/// Replaces the value of a member of the header.
fn with_member(header: &str, name: &str, value: &str) -> String {
    let (before, rest) = header.split_once(&format!(r#""{name}":"#)).expect("it has the member");
    let end = rest.find([',', '}']).expect("it ends");
    format!(r#"{before}"{name}":{value}{}"#, &rest[end..])
}

/// Signed by an owner, with this header.
fn signed_by_owner(forger: &mut Forger, change: impl FnOnce(&mut Forger, &str) -> String) -> String {
    let owner = forger.owner();
    let owners = std::mem::take(&mut forger.owners);
    let header = forger.good_header(&owners[owner]);
    let header = change(forger, &header);
    let value = owners[owner].token(&header, &forger.payload());
    forger.owners = owners;
    value
}

fn other_algorithm(forger: &mut Forger) -> String {
    const NAMES: [&str; 24] = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "HS256",
        "HS384",
        "HS512",
        "ES384",
        "ES512",
        "ES256K",
        "es256",
        "Es256",
        "ES256 ",
        " ES256",
        "ES256\\u0000",
        "RS384",
        "RS512",
        "rs256",
        "PS256",
        "EdDSA",
        "",
        "dir",
        "ES25\\u0426",
        "RS256\\n",
    ];
    signed_by_owner(forger, |forger, header| {
        let name = forger.one_of(&NAMES);
        with_member(header, "alg", &format!("\"{name}\""))
    })
}

fn algorithm_is_no_text(forger: &mut Forger) -> String {
    const VALUES: [&str; 8] = ["null", "256", "true", r#"["ES256"]"#, r#"{"ES256":1}"#, "{}", "-0", r#"[["none"]]"#];
    signed_by_owner(forger, |forger, header| match forger.below(4) {
        0 => header.replacen("\"alg\"", "\"Alg\"", 1),
        _ => with_member(header, "alg", forger.one_of(&VALUES)),
    })
}

fn none(forger: &mut Forger) -> String {
    let owner = forger.owner();
    let header = forger.owners[owner].registration_header();
    let name = forger.one_of(&["none", "None", "NONE", "ES256", "RS256"]);
    let header = with_member(&header, "alg", &format!("\"{name}\""));
    let signed = unsigned(&header, &forger.payload());
    let end = forger.one_of(&[".", "", ".AA", "..", ".e30"]);
    format!("{signed}{end}")
}

/// Whoever takes the public key for a secret of HS256 accepts these.
fn hmac_by_the_public_key(forger: &mut Forger) -> String {
    let owner = forger.owner();
    let owners = std::mem::take(&mut forger.owners);
    let header = forger.good_header(&owners[owner]);
    let name = forger.one_of(&["HS256", "ES256", "RS256", "hs256"]);
    let header = with_member(&header, "alg", &format!("\"{name}\""));
    let signed = unsigned(&header, &forger.payload());
    let secret = public_key_as_bytes(forger, &owners[owner], owner);
    forger.owners = owners;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
    let tag = match forger.below(2) {
        0 => tag.as_ref().to_vec(),
        _ => tag.as_ref().repeat(2),
    };
    with_signature(&signed, &tag)
}

fn public_key_as_bytes(forger: &mut Forger, owner: &Device, number: usize) -> Vec<u8> {
    let [first, second] = owner.numbers();
    match forger.below(6) {
        0 => owner.jwk().into_bytes(),
        1 => forger.keys_of_owners()[number].to_stored().into_bytes(),
        2 => [&[4], &first[..], &second].concat(),
        3 => first,
        4 => encoded(&first).into_bytes(),
        _ => Vec::new(),
    }
}

fn other_type(forger: &mut Forger) -> String {
    const VALUES: [&str; 12] = [
        r#""JWT""#,
        r#""jwt""#,
        r#""dbsc+JWT""#,
        r#""DBSC+JWT""#,
        r#""application/dbsc+jwt""#,
        r#""dpop+jwt""#,
        r#""""#,
        "null",
        "1",
        r#"["dbsc+jwt"]"#,
        r#""dbsc+jwt ""#,
        r#""dbsc jwt""#,
    ];
    signed_by_owner(forger, |forger, header| match forger.below(4) {
        0 => header.replacen("\"typ\"", "\"cty\"", 1),
        _ => with_member(header, "typ", forger.one_of(&VALUES)),
    })
}

fn critical(forger: &mut Forger) -> String {
    const MEMBERS: [&str; 8] = [
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":["alg"]"#,
        r#""crit":"exp""#,
        r#""crit":["exp"],"exp":1"#,
        r#""cr\u0069t":["x"]"#,
        r#""crit":{}"#,
    ];
    signed_by_owner(forger, |forger, header| header.replacen('{', &format!("{{{},", forger.one_of(&MEMBERS)), 1))
}

fn thief_inside(forger: &mut Forger) -> String {
    let thief = forger.thief();
    let payload = forger.payload();
    let thief = &forger.thieves[thief];
    thief.token(&thief.registration_header(), &payload)
}

fn owner_inside(forger: &mut Forger) -> String {
    let (thief, owner, payload) = (forger.thief(), forger.owner(), forger.payload());
    let header = forger.owners[owner].registration_header();
    forger.thieves[thief].token(&header, &payload)
}

fn keys_elsewhere(forger: &mut Forger) -> String {
    const MEMBERS: [&str; 8] = [
        r#""kid":"1""#,
        r#""kid":"../../../dev/null""#,
        r#""kid":"' OR 1=1 --""#,
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"https://evil.example/x""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"AAAA""#,
        r#""epk":{}"#,
    ];
    let thief = forger.thief();
    let member = forger.one_of(&MEMBERS);
    let payload = forger.payload();
    let thief = &forger.thieves[thief];
    thief.token(&thief.refresh_header().replacen('{', &format!("{{{member},"), 1), &payload)
}

fn twice(forger: &mut Forger) -> String {
    const MEMBERS: [&str; 7] = [
        r#""alg":"none""#,
        r#""alg":"ES256""#,
        r#""a\u006cg":"RS256""#,
        r#""typ":"dbsc+jwt""#,
        r#""typ":"JWT""#,
        r#""\u0074yp":"dbsc+jwt""#,
        r#""crit":1,"crit":1"#,
    ];
    signed_by_owner(forger, |forger, header| {
        let member = forger.one_of(&MEMBERS);
        if forger.below(2) == 0 {
            header.replacen('{', &format!("{{{member},"), 1)
        } else {
            format!("{},{member}}}", header.strip_suffix('}').expect("it is an object"))
        }
    })
}

fn two_keys(forger: &mut Forger) -> String {
    let (thief, owner, payload) = (forger.thief(), forger.owner(), forger.payload());
    let name = forger.one_of(&["jwk", "j\\u0077k"]);
    let is_first = forger.below(2) == 0;
    let thief = &forger.thieves[thief];
    let [mut first, mut second] = [thief.jwk(), forger.owners[owner].jwk()];
    if is_first {
        std::mem::swap(&mut first, &mut second);
    }
    let header = format!(r#"{{"alg":"{}","jwk":{first},"{name}":{second},"typ":"dbsc+jwt"}}"#, thief.algorithm());
    thief.token(&header, &payload)
}

fn algorithm_of_another_key(forger: &mut Forger) -> String {
    signed_by_owner(forger, |_, header| {
        let other = if header.contains("\"alg\":\"ES256\"") { "\"RS256\"" } else { "\"ES256\"" };
        with_member(header, "alg", other)
    })
}
