//! B75: numbers come back bit by bit, and keep their kind: `1.0` is no integer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::types::{F32, F64, FloatKey};
use super::{assert_comes_back, refusal_by};

#[test]
fn integers_come_back() {
    assert_comes_back(&vec![i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53) + 1, i64::MAX - 1, i64::MAX]);
    assert_comes_back(&vec![u64::MIN, 1, (1 << 53) + 1, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX]);
    assert_comes_back(&(i8::MIN, i16::MIN, i32::MIN, u8::MAX, u16::MAX, u32::MAX));
    assert_comes_back(&(usize::MAX, isize::MIN));
}

#[test]
fn floats_come_back_bit_by_bit() {
    let subnormal = f64::from_bits(1);
    let ends = [f64::MIN, f64::MAX, f64::MIN_POSITIVE, f64::EPSILON, subnormal, -subnormal];
    let others = [0.1, -0.0, 0.0, 1.0, -1.0, 1e15, 1e16, 1e21, 9_007_199_254_740_993.0, 1.0 / 3.0];
    for number in ends.into_iter().chain(others) {
        assert_comes_back(&F64(number));
    }
    let subnormal = f32::from_bits(1);
    let ends = [f32::MIN, f32::MAX, f32::MIN_POSITIVE, f32::EPSILON, subnormal, -subnormal];
    for number in ends.into_iter().chain([0.1, -0.0, 0.0, 1.0, 16_777_217.0, 1.0 / 3.0]) {
        assert_comes_back(&F32(number));
    }
}

/// Each exponent with the ends of the fraction, and some in between.
#[test]
fn floats_of_each_size_come_back_bit_by_bit() {
    let bits = (0..0x7ff_u64).flat_map(|exponent| {
        let fractions = [0, 1, 0x8_0000_0000_0000, 0xf_ffff_ffff_ffff, exponent * 0x1_2345_6789];
        fractions.map(|fraction| exponent << 52 | fraction)
    });
    assert_comes_back(&bits.map(|bits| F64(f64::from_bits(bits))).collect::<Vec<_>>());
    let bits =
        (0..0xff_u32).flat_map(|exponent| [0, 1, 0x7f_ffff, 0x2a_aaaa].map(|fraction| exponent << 23 | fraction));
    assert_comes_back(&bits.map(|bits| F32(f32::from_bits(bits))).collect::<Vec<_>>());
}

#[test]
fn floats_as_keys_come_back_bit_by_bit() {
    let keys = [-0.0, 0.0, 0.1, 1.0, 1e300, f64::from_bits(1)];
    assert_comes_back(&BTreeMap::from(keys.map(|key| (FloatKey(key.to_bits()), 1))));
}

#[test]
fn a_number_keeps_its_kind() {
    let numbers = json!([1, 1.0, -1, -1.0, 0, 0.0, -0.0, u64::MAX, 1e3]);
    let kinds = |value: &Value| -> Vec<_> {
        let numbers = value.as_array().expect("a list").iter();
        numbers.map(|number| (number.is_u64(), number.is_i64(), number.is_f64(), number.to_string())).collect()
    };
    let refusal = refusal_by("numbers", &numbers, |read| assert_eq!(kinds(read), kinds(&numbers)));
    assert!(refusal.is_none(), "{refusal:?}");
}
