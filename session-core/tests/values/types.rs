//! Types in every form that serde gives them, each of which can hold each other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// A float that is equal to itself alone: `-0.0` is not `0.0`, and NaN is NaN.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct F64(pub f64);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct F32(pub f32);

impl PartialEq for F64 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl PartialEq for F32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// A float as a key of a map, by its bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FloatKey(pub u64);

impl fmt::Debug for FloatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        F64(f64::from_bits(self.0)).fmt(f)
    }
}

impl Serialize for FloatKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from_bits(self.0))
    }
}

impl<'de> Deserialize<'de> for FloatKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(|float| FloatKey(float.to_bits()))
    }
}

/// Bytes as serde knows them. They are not read from a list, as with some real types.
#[derive(Clone, Debug, PartialEq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitStruct;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newtype<T>(pub T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TupleStruct(pub Any, pub u8, pub Option<Any>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmptyTupleStruct();

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Name {
    Plain,
    #[serde(rename = "quoted \"\\\n\u{1}")]
    Quoted,
    #[serde(rename = "7")]
    Seven,
}

/// Externally tagged, as enums are without an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Any {
    Unit,
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I128(i128),
    U128(u128),
    F32(F32),
    F64(F64),
    Char(char),
    Text(String),
    Bytes(Bytes),
    Name(Name),
    Null(()),
    UnitStruct(UnitStruct),
    EmptyTuple(),
    EmptyStruct {},
    EmptyTupleStruct(EmptyTupleStruct),
    Newtype(Newtype<Box<Any>>),
    Two(Box<Any>, Box<Any>),
    TupleStruct(Box<TupleStruct>),
    Fields {
        first: Box<Any>,
        second: Option<Box<Any>>,
    },
    Option(Option<Box<Any>>),
    /// Each `Some` of these that holds a null can't be told from `None`.
    OptionOption(Option<Option<u8>>),
    OptionUnit(Option<()>),
    OptionUnitStruct(Option<UnitStruct>),
    OptionNewtype(Option<Newtype<Option<bool>>>),
    OptionJson(Option<Value>),
    List(Vec<Any>),
    Array([F64; 3]),
    Json(Value),
    ByText(BTreeMap<String, Any>),
    ByNumber(BTreeMap<u64, Any>),
    BySigned(BTreeMap<i32, u8>),
    ByNewtype(BTreeMap<Newtype16, Any>),
    ByBool(BTreeMap<bool, Any>),
    ByChar(BTreeMap<char, Any>),
    ByName(BTreeMap<Name, Any>),
    ByFloat(BTreeMap<FloatKey, Any>),
    Internal(Internal),
    Adjacent(Adjacent),
    AdjacentLater(AdjacentLater),
    Untagged(Box<Untagged>),
    Flat(Box<Flat>),
    FlatNumbers(FlatNumbers),
    FlatTexts(FlatTexts),
    Result(Result<Box<Any>, String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Newtype16(pub i16);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Internal {
    Unit,
    Fields { any: Box<Any>, option: Option<u8> },
    Struct(Box<Inner>),
    Numbers(BTreeMap<u8, Any>),
    Texts(BTreeMap<String, Any>),
    UnitStruct(UnitStruct),
}

/// The content comes before the tag, as members of an object are sorted: it is buffered when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tag", content = "content")]
pub enum Adjacent {
    Unit,
    Newtype(Box<Any>),
    Two(Box<Any>, F32),
    EmptyTuple(),
    Fields { any: Box<Any> },
    Numbers(BTreeMap<i64, bool>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "a", content = "b")]
pub enum AdjacentLater {
    Unit,
    Newtype(Box<Any>),
    Numbers(BTreeMap<u64, Any>),
}

/// No variant can be taken for an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Unit,
    Integer(i64),
    Float(F64),
    Text(String),
    Tuple(u8, Any),
    Struct(Inner),
    Any { any: Any },
    Numbers { numbers: BTreeMap<i64, Any> },
    Bools { bools: BTreeMap<bool, F32> },
    Floats { floats: BTreeMap<FloatKey, u8> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inner {
    pub inner: Any,
    pub more: Option<Any>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flat {
    pub name: String,
    #[serde(flatten)]
    pub inner: Inner,
    #[serde(flatten)]
    pub kind: Internal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlatNumbers {
    pub name: u8,
    #[serde(flatten)]
    pub rest: BTreeMap<i32, Any>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlatTexts {
    pub name: u8,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Any>,
}
