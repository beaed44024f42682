//! Keys inside a registration: of other kinds, sizes and curves, not on the curve, or private ones.

use super::{Forger, Kind, encoded, unsigned, with_signature};

pub const KINDS: &[Kind] = &[
    ("a point that is not on the curve", not_on_the_curve),
    ("a coordinate of another form", other_coordinate),
    ("a key of another kind or curve", other_kind),
    ("a member of the key missing, of another type, or twice", broken_members),
    ("a private key", private),
    ("an RSA modulus of another size", other_modulus),
    ("an RSA exponent that is not allowed", other_exponent),
    ("an exponent of 1, by which everybody signs", exponent_of_1),
    ("the key that takes longest", the_slowest),
];

/// A registration with this key, signed by a thief of P-256 or RSA.
fn registered(forger: &mut Forger, thief: usize, jwk: &str) -> String {
    let payload = forger.payload();
    let thief = &forger.thieves[thief];
    let header = format!(r#"{{"alg":"{}","jwk":{jwk},"typ":"dbsc+jwt"}}"#, thief.algorithm());
    thief.token(&header, &payload)
}

fn point(x: &[u8], y: &[u8]) -> String {
    format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encoded(x), encoded(y))
}

fn rsa(n: &[u8], e: &[u8]) -> String {
    format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encoded(e), encoded(n))
}

fn not_on_the_curve(forger: &mut Forger) -> String {
    let thief = forger.below(2);
    let [x, y] = forger.thieves[thief].numbers();
    let mut next = y.clone();
    next[31] ^= 1;
    let jwk = match forger.below(7) {
        0 => point(&x, &next),
        1 => point(&y, &x),
        2 => point(&[0; 32], &[0; 32]),
        3 => point(&[0xff; 32], &y),
        4 => point(&x, &[0; 32]),
        5 => point(&x, &x),
        _ => point(&forger.bytes(32), &y),
    };
    registered(forger, thief, &jwk)
}

fn other_coordinate(forger: &mut Forger) -> String {
    let thief = forger.below(2);
    let [x, y] = forger.thieves[thief].numbers();
    let text = encoded(&x);
    let x = match forger.below(8) {
        0 => encoded(&x[1..]),
        1 => encoded(&[&[0], &x[..]].concat()),
        2 => encoded(&[x.clone(), y.clone()].concat()),
        3 => String::new(),
        4 => format!("{text}="),
        5 => format!("{text}\\n"),
        6 => with_spare_bits(&text),
        _ => encoded(&[&[4], &x[..], &y].concat()),
    };
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{}"}}"#, encoded(&y));
    registered(forger, thief, &jwk)
}

/// Another text that careless decoders read as the same 32 bytes.
fn with_spare_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.as_bytes()[text.len() - 1];
    let value = ALPHABET.iter().position(|letter| *letter == last).expect("it is a letter") | 1;
    format!("{}{}", &text[..text.len() - 1], ALPHABET[value] as char)
}

fn other_kind(forger: &mut Forger) -> String {
    const CHANGES: [(&str, &str); 12] = [
        (r#""P-256""#, r#""P-384""#),
        (r#""P-256""#, r#""P-521""#),
        (r#""P-256""#, r#""secp256k1""#),
        (r#""P-256""#, r#""p-256""#),
        (r#""P-256""#, r#""Ed25519""#),
        (r#""P-256""#, "null"),
        (r#""EC""#, r#""OKP""#),
        (r#""EC""#, r#""ec""#),
        (r#""EC""#, r#""RSA""#),
        (r#""EC""#, r#""oct""#),
        (r#""EC""#, r#""oct","k":"AAAA""#),
        (r#""EC""#, "null"),
    ];
    let thief = forger.below(2);
    let (from, to) = CHANGES[forger.below(CHANGES.len())];
    let jwk = forger.thieves[thief].jwk().replacen(from, to, 1);
    registered(forger, thief, &jwk)
}

fn broken_members(forger: &mut Forger) -> String {
    let thief = forger.thief();
    let owner = if thief == 2 { 2 } else { forger.below(2) };
    let (jwk, other) = (forger.thieves[thief].jwk(), forger.owners[owner].jwk());
    let names: &[&str] = if thief == 2 { &["e", "kty", "n"] } else { &["crv", "kty", "x", "y"] };
    let name = forger.one_of(names);
    let (quoted, other) = (format!("\"{name}\":"), other.trim_matches(['{', '}']).to_owned());
    let jwk = match forger.below(8) {
        0 => jwk.replacen(&quoted, &format!("\"{}\":", name.to_uppercase()), 1),
        1 => jwk.replacen(&quoted, &format!("\"{name}\":1,\"was\":"), 1),
        2 => jwk.replacen(&quoted, &format!("\"{name}\":null,\"was\":"), 1),
        3 => jwk.replacen(&quoted, &format!("\"{name}\":[],\"was\":"), 1),
        // All members twice, once as the owner has them.
        4 => jwk.replacen('{', &format!("{{{other},"), 1),
        5 => format!("[{jwk}]"),
        6 => format!("{:?}", jwk),
        _ => forger.one_of(&["null", "{}", "[]", "1", r#""""#, r#"["EC","P-256"]"#]).to_owned(),
    };
    registered(forger, thief, &jwk)
}

fn private(forger: &mut Forger) -> String {
    let thief = forger.thief();
    let d = forger.bytes(32);
    let member = match forger.below(4) {
        0 => r#""d":null"#.to_owned(),
        1 => r#""\u0064":"AAAA""#.to_owned(),
        _ => format!(r#""d":"{}""#, encoded(&d)),
    };
    let jwk = forger.thieves[thief].jwk().replacen('{', &format!("{{{member},"), 1);
    registered(forger, thief, &jwk)
}

fn other_modulus(forger: &mut Forger) -> String {
    let Some(thief) = forger.thieves.get(2) else { return not_on_the_curve(forger) };
    let [n, e] = thief.numbers();
    let n = match forger.below(7) {
        0 => [&[0], &n[..]].concat(),
        1 => n[..255].to_vec(),
        2 => {
            // Multiples of the modulus, by which a good signature stays good.
            let zeros = forger.below(2000) + 1;
            [&n[..], &vec![0; zeros]].concat()
        }
        3 => {
            let size = [1, 8, 64, 128, 255, 513, 514, 1024, 2048][forger.below(9)];
            odd(forger, size)
        }
        4 => Vec::new(),
        5 => [&n[..255], &[n[255] & 0xfe]].concat(),
        _ => vec![0; 256],
    };
    registered(forger, 2, &rsa(&n, &e))
}

fn other_exponent(forger: &mut Forger) -> String {
    let Some(thief) = forger.thieves.get(2) else { return not_on_the_curve(forger) };
    let [n, e] = thief.numbers();
    let e = match forger.below(8) {
        0 => Vec::new(),
        1 => vec![0],
        2 => vec![2],
        3 => [&[0], &e[..]].concat(),
        4 => vec![1, 0, 0],
        5 => [&[1, 0], &e[..]].concat(),
        6 => {
            // By which one verification would take minutes.
            let size = forger.below(1000) + 5;
            odd(forger, size)
        }
        _ => n.clone(),
    };
    registered(forger, 2, &rsa(&n, &e))
}

/// A power of 1 is the number itself, so a padded hash is its own signature.
fn exponent_of_1(forger: &mut Forger) -> String {
    const PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];
    let size = [256, 384, 512][forger.below(3)];
    let n = odd(forger, size);
    let header = format!(r#"{{"alg":"RS256","jwk":{},"typ":"dbsc+jwt"}}"#, rsa(&n, &[1]));
    let signed = unsigned(&header, &forger.payload());
    let hash = ring::digest::digest(&ring::digest::SHA256, signed.as_bytes());
    let end = [&[0], &PREFIX[..], hash.as_ref()].concat();
    let padded = [&[0, 1][..], &vec![0xff; size - 2 - end.len()], &end].concat();
    with_signature(&signed, &padded)
}

/// All that is allowed: a modulus of 4096 bits and an exponent of 32, under a signature that takes all of both.
fn the_slowest(forger: &mut Forger) -> String {
    let n = odd(forger, 512);
    let mut signature = forger.bytes(512);
    signature[0] &= 0x7f;
    let header = format!(r#"{{"alg":"RS256","jwk":{},"typ":"dbsc+jwt"}}"#, rsa(&n, &[0xff; 4]));
    with_signature(&unsigned(&header, &forger.payload()), &signature)
}

/// An odd number of so many bytes, without a zero in front.
fn odd(forger: &mut Forger, size: usize) -> Vec<u8> {
    let mut number = forger.bytes(size);
    number[0] |= 0x80;
    number[size - 1] |= 1;
    number
}
