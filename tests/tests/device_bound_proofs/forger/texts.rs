//! Texts: base64, parts, JSON, structured fields, sizes, and whatever a broken network makes of bytes.

use super::{Forger, Kind, encoded};

pub const KINDS: &[Kind] = &[
    ("base64 of another kind", other_base64),
    ("spare bits of base64 that are not zero", spare_bits),
    ("another number of parts", other_parts),
    ("parts of two proofs", parts_of_two),
    ("another structured field", other_field),
    ("a payload that is none, signed by the owner", other_payload),
    ("a header that is none, signed by the owner", other_header),
    ("nesting, signed by the owner", nesting),
    ("too long", too_long),
    ("a letter changed", changed_letter),
    ("a piece missing, moved or doubled", changed_pieces),
    ("noise", noise),
];

/// A good proof, as text that `change` broke.
fn changed(forger: &mut Forger, change: impl Fn(&mut Forger, &str) -> String) -> String {
    let proof = forger.good_proof();
    loop {
        let changed = change(forger, &proof);
        if changed != proof {
            return changed;
        }
    }
}

fn other_base64(forger: &mut Forger) -> String {
    changed(forger, |forger, proof| {
        let place = forger.below(proof.len() + 1);
        let (before, after) = proof.split_at(place);
        match forger.below(7) {
            0 => format!("{proof}="),
            1 => format!("{proof}=="),
            2 => proof.replace('-', "+").replace('_', "/"),
            3 => proof.replacen('.', "=.", 1),
            4 => format!("{before}{}{after}", forger.one_of(&["+", "/", "=", "\t", "\r\n", "%2E", "\u{0}", "ä", "\\"])),
            5 => proof.replacen('.', "%2E", 1),
            _ => format!("{before}\n {after}"),
        }
    })
}

/// Texts that careless decoders read as the same bytes.
fn spare_bits(forger: &mut Forger) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let owner = forger.owner();
    let mut payload = forger.payload();
    // 64 and 256 bytes leave 4 bits in the last letter, so signatures have some always; the other parts, by their length.
    let part = forger.below(3);
    let mut header = forger.owners[owner].refresh_header();
    for text in [&mut header, &mut payload] {
        while text.len() % 3 == 0 {
            text.push(' ');
        }
    }
    let mut parts = [encoded(header.as_bytes()), encoded(payload.as_bytes())];
    let value = 1 + forger.below(3);
    let spoil = |part: &mut String| {
        let last = part.pop().expect("it is not empty") as u8;
        let digit = ALPHABET.iter().position(|letter| *letter == last).expect("it is a letter");
        part.push(ALPHABET[digit | value] as char);
    };
    if part < 2 {
        spoil(&mut parts[part]);
    }
    let signed = parts.join(".");
    let mut signature = encoded(&forger.owners[owner].sign(signed.as_bytes()));
    if part == 2 {
        spoil(&mut signature);
    }
    format!("{signed}.{signature}")
}

fn other_parts(forger: &mut Forger) -> String {
    changed(forger, |forger, proof| {
        let parts: Vec<&str> = proof.split('.').collect();
        let [header, payload, signature] = parts[..] else { unreachable!("a proof has three parts") };
        match forger.below(12) {
            0 => format!("{header}.{payload}"),
            1 => header.to_owned(),
            2 => format!("{proof}."),
            3 => format!(".{proof}"),
            4 => format!("{header}..{signature}"),
            5 => format!(".{payload}.{signature}"),
            6 => format!("{header}.{payload}."),
            7 => format!("{proof}.{signature}"),
            8 => format!("{header}.{payload}..{payload}.{signature}"),
            9 => format!("{signature}.{payload}.{header}"),
            10 => format!("{proof}.{proof}"),
            _ => "..".to_owned(),
        }
    })
}

fn parts_of_two(forger: &mut Forger) -> String {
    let [one, other] = [forger.good_proof(), forger.good_proof()];
    let [one, other] = [&one, &other].map(|proof| proof.split('.').collect::<Vec<_>>());
    let mut chosen = [0, 1, 2].map(|part| if forger.below(2) == 0 { one[part] } else { other[part] });
    // The signed part of one, whole, with its signature is no forgery.
    chosen[1] = if chosen[2] == one[2] { other[1] } else { one[1] };
    chosen.join(".")
}

fn other_field(forger: &mut Forger) -> String {
    changed(forger, |forger, proof| match forger.below(14) {
        0 => format!(":{proof}:"),
        1 => format!("({proof})"),
        2 => format!("{proof}, {proof}"),
        3 => format!("'{proof}'"),
        4 => format!("{proof}\""),
        5 => format!("\"{proof}"),
        6 => format!("\"\"{proof}\"\""),
        7 => format!("{proof} x"),
        8 => format!("?1;{proof}"),
        9 => format!("jws={proof}"),
        10 => format!("\"\\{proof}\""),
        11 => format!("%\"{proof}\""),
        12 => format!("{proof};"),
        _ => format!("Bearer {proof}"),
    })
}

fn other_payload(forger: &mut Forger) -> String {
    const PAYLOADS: [&str; 22] = [
        "",
        "{}",
        "null",
        "[]",
        r#"["c"]"#,
        r#"["c",null]"#,
        r#""c""#,
        r#"{"jti":null}"#,
        r#"{"jti":1}"#,
        r#"{"jti":["c"]}"#,
        r#"{"jti":{"jti":"c"}}"#,
        r#"{"JTI":"c"}"#,
        r#"{"nonce":"c"}"#,
        r#"{"jti":"c","jti":"c"}"#,
        r#"{"jti":"c","\u006ati":"d"}"#,
        r#"{"jti":"c"}{"jti":"c"}"#,
        r#"{"jti":"c""#,
        r#"{"jti":"c","authorization":1}"#,
        r#"{"jti":"c","authorization":"a","authorization":"b"}"#,
        r#"{'jti':'c'}"#,
        r#"{"jti":"\ud800"}"#,
        r#"{"jti":"c",}"#,
    ];
    let (owner, payload) = (forger.owner(), forger.one_of(&PAYLOADS));
    let owners = std::mem::take(&mut forger.owners);
    let value = owners[owner].token(&forger.good_header(&owners[owner]), payload);
    forger.owners = owners;
    value
}

fn other_header(forger: &mut Forger) -> String {
    const HEADERS: [&str; 12] = [
        "",
        "{}",
        "null",
        "[]",
        r#"["dbsc+jwt","ES256"]"#,
        r#"["dbsc+jwt","ES256",null]"#,
        r#""ES256""#,
        r#"{"alg":"ES256","typ":"dbsc+jwt""#,
        r#"{"alg":"ES256","typ":"dbsc+jwt"}}"#,
        r#"[{"alg":"ES256","typ":"dbsc+jwt"}]"#,
        "{\"alg\":\"ES256\",\"typ\":\"dbsc+jwt\",\"x\":\"\u{1}\"}",
        "\u{feff}{\"alg\":\"ES256\",\"typ\":\"dbsc+jwt\"}",
    ];
    let (owner, header, payload) = (forger.below(2), forger.one_of(&HEADERS), forger.payload());
    forger.owners[owner].token(header, &payload)
}

fn nesting(forger: &mut Forger) -> String {
    let (owner, levels, is_header) = (forger.below(2), forger.below(900) + 17, forger.below(2) == 0);
    let (open, close) = if forger.below(2) == 0 { ("[", "]") } else { ("{\"a\":", "}") };
    let (inside, owner) = (if open == "[" { "" } else { "1" }, &forger.owners[owner]);
    let is_cut = forger.random.below(8) == 0;
    let close = if is_cut { String::new() } else { close.repeat(levels) };
    let member = format!(r#"{{"more":{}{inside}{close},"#, open.repeat(levels));
    let (mut header, mut payload) = (owner.refresh_header(), r#"{"jti":"c"}"#.to_owned());
    let nested = if is_header { &mut header } else { &mut payload };
    *nested = nested.replacen('{', &member, 1);
    owner.token(&header, &payload)
}

fn too_long(forger: &mut Forger) -> String {
    let (owner, size, what) = (forger.below(2), 8193 + forger.below(60_000), forger.below(5));
    let owner = &forger.owners[owner];
    let padding = "x".repeat(size);
    match what {
        0 => owner.refresh(&padding),
        1 => owner.token(&owner.refresh_header().replacen('{', &format!(r#"{{"{padding}":1,"#), 1), r#"{"jti":"c"}"#),
        2 => format!("{};a={padding}", owner.refresh("c")),
        3 => format!("{}{}", owner.refresh("c"), " ".repeat(size)),
        _ => format!("{}{}", "A".repeat(size), owner.refresh("c")),
    }
}

fn changed_letter(forger: &mut Forger) -> String {
    // No blank, quote or semicolon: what they make of a field may mean the same.
    const LETTERS: &[u8] = b"ABCXYZabcxyz0189-_.+/=*~!#$%&'(),:<>?@[]^`{|}";
    changed(forger, |forger, proof| {
        let mut letters = proof.as_bytes().to_vec();
        for _ in 0..=forger.below(3) {
            let place = forger.below(letters.len());
            letters[place] = LETTERS[forger.below(LETTERS.len())];
        }
        String::from_utf8(letters).expect("it is ASCII")
    })
}

fn changed_pieces(forger: &mut Forger) -> String {
    changed(forger, |forger, proof| {
        let mut ends = [forger.below(proof.len() + 1), forger.below(proof.len() + 1)];
        ends.sort_unstable();
        let (before, piece, after) = (&proof[..ends[0]], &proof[ends[0]..ends[1]], &proof[ends[1]..]);
        match forger.below(4) {
            0 => format!("{before}{after}"),
            1 => format!("{before}{piece}{piece}{after}"),
            2 => format!("{after}{piece}{before}"),
            _ => before.to_owned(),
        }
    })
}

fn noise(forger: &mut Forger) -> String {
    let size = forger.below(400);
    let bytes = forger.bytes(size);
    match forger.below(3) {
        0 => String::from_utf8_lossy(&bytes).into_owned(),
        1 => encoded(&bytes),
        _ => bytes.chunks(40).map(encoded).collect::<Vec<_>>().join("."),
    }
}
