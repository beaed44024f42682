//! Values of those types.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use super::types::*;

pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        1 => "[a-z]{0,3}",
        2 => prop_oneof![
            Just("name"), Just("kind"), Just("7"), Just("-1"), Just("1.5"), Just("true"), Just("007"), Just("1e5"),
            Just("$serde_json::private::Number"), Just("$serde_json::private::RawValue"),
        ]
        .prop_map(str::to_owned),
    ]
}

fn float() -> impl Strategy<Value = F64> {
    prop_oneof![
        3 => any::<f64>().prop_map(F64),
        1 => any::<u64>().prop_map(|bits| F64(f64::from_bits(bits))),
        1 => any::<i32>().prop_map(|whole| F64(whole.into())),
        2 => prop_oneof![
            Just(-0.0), Just(0.0), Just(f64::MIN_POSITIVE), Just(5e-324), Just(f64::MAX), Just(0.1), Just(1e16),
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(9007199254740993.0),
        ]
        .prop_map(F64),
    ]
}

pub fn small_float() -> impl Strategy<Value = F32> {
    prop_oneof![3 => any::<f32>().prop_map(F32), 2 => any::<u32>().prop_map(|bits| F32(f32::from_bits(bits)))]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![Just(Name::Plain), Just(Name::Quoted), Just(Name::Seven)]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Any> {
    let integers = prop_oneof![
        any::<i8>().prop_map(Any::I8),
        any::<i16>().prop_map(Any::I16),
        any::<i32>().prop_map(Any::I32),
        any::<i64>().prop_map(Any::I64),
        any::<u8>().prop_map(Any::U8),
        any::<u16>().prop_map(Any::U16),
        any::<u32>().prop_map(Any::U32),
        any::<u64>().prop_map(Any::U64),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just((1 << 53) + 1)].prop_map(Any::I64),
    ];
    let empty = prop_oneof![
        Just(Any::Unit),
        Just(Any::Null(())),
        Just(Any::UnitStruct(UnitStruct)),
        Just(Any::EmptyTuple()),
        Just(Any::EmptyStruct {}),
        Just(Any::EmptyTupleStruct(EmptyTupleStruct())),
        Just(Any::Option(None)),
        Just(Any::Adjacent(Adjacent::Unit)),
        Just(Any::Adjacent(Adjacent::EmptyTuple())),
        Just(Any::AdjacentLater(AdjacentLater::Unit)),
        Just(Any::Internal(Internal::Unit)),
        Just(Any::Internal(Internal::UnitStruct(UnitStruct))),
        Just(Any::Untagged(Box::new(Untagged::Unit))),
    ];
    let options = prop_oneof![
        any::<Option<Option<u8>>>().prop_map(Any::OptionOption),
        any::<Option<()>>().prop_map(Any::OptionUnit),
        any::<bool>().prop_map(|some| Any::OptionUnitStruct(some.then_some(UnitStruct))),
        any::<Option<Option<bool>>>().prop_map(|inner| Any::OptionNewtype(inner.map(Newtype))),
        proptest::option::of(json()).prop_map(Any::OptionJson),
    ];
    let refused = prop_oneof![
        any::<i128>().prop_map(Any::I128),
        any::<u128>().prop_map(Any::U128),
        any::<u8>().prop_map(|small| Any::U128(small.into())),
        vec(any::<u8>(), 0..4).prop_map(|bytes| Any::Bytes(Bytes(bytes))),
    ];
    prop_oneof![
        8 => integers,
        4 => empty,
        2 => options,
        1 => refused,
        2 => float().prop_map(Any::F64),
        2 => small_float().prop_map(Any::F32),
        1 => any::<bool>().prop_map(Any::Bool),
        1 => any::<char>().prop_map(Any::Char),
        2 => text().prop_map(Any::Text),
        1 => name().prop_map(Any::Name),
        1 => json().prop_map(Any::Json),
        1 => [finite(), finite(), finite()].prop_map(Any::Array),
    ]
}

fn finite() -> impl Strategy<Value = F64> {
    float().prop_map(|float| if float.0.is_finite() { float } else { F64(0.5) })
}

fn maps(each: BoxedStrategy<Any>) -> impl Strategy<Value = Any> {
    let float_key = prop_oneof![3 => finite(), 1 => float()].prop_map(|float| FloatKey(float.0.to_bits()));
    prop_oneof![
        btree_map(text(), each.clone(), 0..4).prop_map(Any::ByText),
        btree_map(any::<u64>(), each.clone(), 0..4).prop_map(Any::ByNumber),
        btree_map(any::<i32>(), any::<u8>(), 0..4).prop_map(Any::BySigned),
        btree_map(any::<i16>().prop_map(Newtype16), each.clone(), 0..4).prop_map(Any::ByNewtype),
        btree_map(any::<bool>(), each.clone(), 0..3).prop_map(Any::ByBool),
        btree_map(any::<char>(), each.clone(), 0..3).prop_map(Any::ByChar),
        btree_map(name(), each.clone(), 0..3).prop_map(Any::ByName),
        btree_map(float_key, each, 0..3).prop_map(Any::ByFloat),
    ]
}

pub fn internal(each: BoxedStrategy<Any>) -> impl Strategy<Value = Internal> {
    prop_oneof![
        Just(Internal::Unit),
        (each.clone(), any::<Option<u8>>()).prop_map(|(any, option)| Internal::Fields { any: any.into(), option }),
        inner(each.clone()).prop_map(|inner| Internal::Struct(inner.into())),
        btree_map(any::<u8>(), each.clone(), 0..4).prop_map(Internal::Numbers),
        btree_map(text(), each, 0..4).prop_map(Internal::Texts),
        Just(Internal::UnitStruct(UnitStruct)),
    ]
}

fn inner(each: BoxedStrategy<Any>) -> impl Strategy<Value = Inner> {
    (each.clone(), proptest::option::of(each)).prop_map(|(inner, more)| Inner { inner, more })
}

fn adjacent(each: BoxedStrategy<Any>) -> impl Strategy<Value = Any> {
    prop_oneof![
        each.clone().prop_map(|any| Any::Adjacent(Adjacent::Newtype(any.into()))),
        (each.clone(), small_float()).prop_map(|(any, float)| Any::Adjacent(Adjacent::Two(any.into(), float))),
        each.clone().prop_map(|any| Any::Adjacent(Adjacent::Fields { any: any.into() })),
        btree_map(any::<i64>(), any::<bool>(), 0..4).prop_map(|map| Any::Adjacent(Adjacent::Numbers(map))),
        each.clone().prop_map(|any| Any::AdjacentLater(AdjacentLater::Newtype(any.into()))),
        btree_map(any::<u64>(), each, 0..4).prop_map(|map| Any::AdjacentLater(AdjacentLater::Numbers(map))),
    ]
}

pub fn untagged(each: BoxedStrategy<Any>) -> impl Strategy<Value = Untagged> {
    let float_key = finite().prop_map(|float| FloatKey(float.0.to_bits()));
    prop_oneof![
        Just(Untagged::Unit),
        any::<i64>().prop_map(Untagged::Integer),
        float().prop_map(Untagged::Float),
        text().prop_map(Untagged::Text),
        (any::<u8>(), each.clone()).prop_map(|(number, any)| Untagged::Tuple(number, any)),
        inner(each.clone()).prop_map(Untagged::Struct),
        each.clone().prop_map(|any| Untagged::Any { any }),
        btree_map(any::<i64>(), each.clone(), 0..4).prop_map(|numbers| Untagged::Numbers { numbers }),
        btree_map(any::<bool>(), small_float(), 0..3).prop_map(|bools| Untagged::Bools { bools }),
        btree_map(float_key, any::<u8>(), 0..3).prop_map(|floats| Untagged::Floats { floats }),
    ]
}

pub fn flat(each: BoxedStrategy<Any>) -> impl Strategy<Value = Flat> {
    // A flattened map would take the other fields, too: serde's affair, and listed.
    let kind = prop_oneof![
        Just(Internal::Unit),
        (each.clone(), any::<Option<u8>>()).prop_map(|(any, option)| Internal::Fields { any: any.into(), option }),
    ];
    (text(), inner(each), kind).prop_map(|(name, inner, kind)| Flat { name, inner, kind })
}

fn compound(each: BoxedStrategy<Any>) -> impl Strategy<Value = Any> {
    let two = (each.clone(), each.clone());
    let flat_numbers = (any::<u8>(), btree_map(any::<i32>(), each.clone(), 0..4));
    let flat_texts = (any::<u8>(), btree_map(text(), each.clone(), 0..4));
    prop_oneof![
        1 => each.clone().prop_map(|any| Any::Newtype(Newtype(any.into()))),
        1 => two.clone().prop_map(|(a, b)| Any::Two(a.into(), b.into())),
        1 => (each.clone(), any::<u8>(), proptest::option::of(each.clone()))
            .prop_map(|(any, number, option)| Any::TupleStruct(TupleStruct(any, number, option).into())),
        1 => (each.clone(), proptest::option::of(each.clone()))
            .prop_map(|(first, second)| Any::Fields { first: first.into(), second: second.map(Box::new) }),
        1 => each.clone().prop_map(|any| Any::Option(Some(any.into()))),
        1 => vec(each.clone(), 0..4).prop_map(Any::List),
        1 => each.clone().prop_map(|any| Any::Result(Ok(any.into()))),
        1 => text().prop_map(|text| Any::Result(Err(text))),
        3 => maps(each.clone()),
        2 => internal(each.clone()).prop_map(Any::Internal),
        2 => adjacent(each.clone()),
        3 => untagged(each.clone()).prop_map(|untagged| Any::Untagged(untagged.into())),
        1 => flat(each).prop_map(|flat| Any::Flat(flat.into())),
        1 => flat_numbers.prop_map(|(name, rest)| Any::FlatNumbers(FlatNumbers { name, rest })),
        1 => flat_texts.prop_map(|(name, rest)| Any::FlatTexts(FlatTexts { name, rest })),
    ]
}

pub fn anything() -> BoxedStrategy<Any> {
    leaf().prop_recursive(6, 500, 2, |each| compound(each.boxed())).boxed()
}
