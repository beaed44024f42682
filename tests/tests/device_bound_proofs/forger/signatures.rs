//! Signatures: of wrong length, at the edges of the numbers, in other forms, of other things.

use ring::signature::{RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};

use super::{Forger, Kind, cut, encoded, unsigned, with_signature};

pub const KINDS: &[Kind] = &[
    ("a signature of another length", other_length),
    ("a half that is zero, or beyond the curve's order", edges),
    ("flipped bits of the signature", flipped_bits),
    ("a signature in DER", der),
    ("the halves of the signature changed", changed_halves),
    ("a signature of something else", of_something_else),
    ("the thief's signature", of_the_thief),
    ("a signature in another coding", in_another_coding),
    ("an RSA signature of another kind", other_kind_of_rsa),
    ("an RSA signature beyond the modulus", beyond_the_modulus),
];

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A good proof with another signature.
fn resigned(forger: &mut Forger, change: impl FnOnce(&mut Forger, Vec<u8>) -> Vec<u8>) -> String {
    let proof = forger.good_proof();
    let (signed, signature) = cut(&proof);
    let changed = change(forger, signature.clone());
    assert!(changed != signature, "a kind must break something");
    with_signature(signed, &changed)
}

fn resigned_p256(forger: &mut Forger, change: impl FnOnce(&mut Forger, Vec<u8>) -> Vec<u8>) -> String {
    let (owner, challenge) = (forger.below(2), forger.challenge());
    let proof = forger.owners[owner].registration(&challenge);
    let (signed, signature) = cut(&proof);
    let changed = change(forger, signature.clone());
    assert!(changed != signature, "a kind must break something");
    with_signature(signed, &changed)
}

fn other_length(forger: &mut Forger) -> String {
    resigned(forger, |forger, mut signature| {
        let length = signature.len();
        match forger.below(6) {
            0 => signature.truncate(forger.below(length)),
            1 => signature.insert(0, 0),
            2 => signature.push(0),
            3 => signature.extend(signature.clone()),
            4 => drop(signature.remove(0)),
            _ => {
                let more = forger.below(600) + 1;
                signature.extend(forger.bytes(more));
            }
        }
        signature
    })
}

fn edges(forger: &mut Forger) -> String {
    resigned_p256(forger, |forger, signature| {
        let mut half = |good: &[u8]| {
            let mut edge = match forger.below(6) {
                0 | 1 => vec![0; 32],
                2 => ORDER.to_vec(),
                3 => vec![0xff; 32],
                4 => [&[0; 31][..], &[1]].concat(),
                _ => return good.to_vec(),
            };
            // One more or less than the order.
            if edge == ORDER {
                edge[31] = edge[31].wrapping_add(forger.below(3) as u8).wrapping_sub(1);
            }
            edge
        };
        let mut changed = [half(&signature[..32]), half(&signature[32..])].concat();
        if changed == signature {
            changed = vec![0; 64];
        }
        changed
    })
}

fn flipped_bits(forger: &mut Forger) -> String {
    resigned(forger, |forger, mut signature| {
        let first = forger.below(signature.len() * 8);
        signature[first / 8] ^= 1 << (first % 8);
        for _ in 0..forger.below(3) {
            let more = forger.below(signature.len() * 8);
            if more != first {
                signature[more / 8] ^= 1 << (more % 8);
            }
        }
        // Two flips of one bit are none.
        signature
    })
}

fn der(forger: &mut Forger) -> String {
    resigned_p256(forger, |forger, signature| {
        let is_long = forger.below(4) == 0;
        let integer = |half: &[u8]| {
            let zeros = half.iter().take_while(|byte| **byte == 0).count().min(31);
            let mut number = half[zeros..].to_vec();
            if number[0] >= 0x80 || is_long {
                number.insert(0, 0);
            }
            [&[2, number.len() as u8][..], &number].concat()
        };
        let inside = [integer(&signature[..32]), integer(&signature[32..])].concat();
        [&[0x30, inside.len() as u8][..], &inside].concat()
    })
}

fn changed_halves(forger: &mut Forger) -> String {
    resigned_p256(forger, |forger, signature| {
        let (r, s) = signature.split_at(32);
        match forger.below(4) {
            0 => [s, r].concat(),
            1 => [r, r].concat(),
            2 => [s, s].concat(),
            _ => signature.iter().rev().copied().collect(),
        }
    })
}

fn of_something_else(forger: &mut Forger) -> String {
    let (owner, challenge) = (forger.owner(), forger.challenge());
    let payload = forger.payload();
    let what = forger.below(5);
    let owner = &forger.owners[owner];
    let proof = owner.refresh(&challenge);
    let (signed, good) = cut(&proof);
    match what {
        0 => with_signature(&unsigned(&owner.refresh_header(), &payload), &good),
        1 => with_signature(&unsigned(&owner.registration_header(), &payload), &good),
        2 => with_signature(signed, &owner.sign(payload.as_bytes())),
        3 => with_signature(signed, &owner.sign(b"")),
        _ => with_signature(signed, &owner.sign(format!("{signed}.").as_bytes())),
    }
}

fn of_the_thief(forger: &mut Forger) -> String {
    let proof = forger.good_proof();
    let (signed, _) = cut(&proof);
    let thief = forger.thief();
    with_signature(signed, &forger.thieves[thief].sign(signed.as_bytes()))
}

fn in_another_coding(forger: &mut Forger) -> String {
    resigned(forger, |forger, signature| match forger.below(3) {
        0 => signature.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
        1 => encoded(&signature).into_bytes(),
        // The order of bytes that Windows' older interface has.
        _ => signature.chunks(signature.len() / 2).flat_map(|half| half.iter().rev().copied()).collect(),
    })
}

fn other_kind_of_rsa(forger: &mut Forger) -> String {
    let kinds: [&'static dyn RsaEncoding; 3] = [&RSA_PSS_SHA256, &RSA_PKCS1_SHA384, &RSA_PKCS1_SHA512];
    let kind = kinds[forger.below(3)];
    let payload = forger.payload();
    let Some(owner) = forger.owners.get(2) else { return of_the_thief(forger) };
    let signed = unsigned(&owner.refresh_header(), &payload);
    let signature = owner.sign_otherwise(kind, signed.as_bytes()).expect("it has RSA");
    with_signature(&signed, &signature)
}

/// Numbers whose power is the right one, or whose power everybody knows.
fn beyond_the_modulus(forger: &mut Forger) -> String {
    let (what, challenge) = (forger.below(6), forger.challenge());
    let Some(owner) = forger.owners.get(2) else { return of_the_thief(forger) };
    let proof = owner.refresh(&challenge);
    let (signed, good) = cut(&proof);
    let [n, _] = owner.numbers();
    let changed = match what {
        0 => plus(&good, &n),
        1 => vec![0; n.len()],
        2 => [&vec![0; n.len() - 1][..], &[1]].concat(),
        3 => n,
        4 => minus_one(n),
        _ => [&[0; 4][..], &good].concat(),
    };
    with_signature(signed, &changed)
}

fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum: Vec<u8> = Vec::with_capacity(a.len() + 1);
    for (a, b) in a.iter().rev().zip(b.iter().rev()) {
        let digit = u16::from(*a) + u16::from(*b) + carry;
        sum.push(digit as u8);
        carry = digit >> 8;
    }
    if carry > 0 {
        sum.push(1);
    }
    sum.reverse();
    sum
}

/// Of an odd number.
fn minus_one(mut n: Vec<u8>) -> Vec<u8> {
    *n.last_mut().expect("it has digits") -= 1;
    n
}
