//! Keys of maps. JSON has texts only, so numbers and bools are written as texts.

use serde::ser::{Error, Impossible, Serialize, Serializer};
use serde_json::Number;

use super::refusal::Refusal;

/// A key of a map in JSON.
pub(super) struct MapKey {
    pub(super) text: String,
    pub(super) was: Was,
}

/// What a key was before it became a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    Text,
    /// A number from 0 on.
    Index,
    /// A negative or fractional number, or a bool.
    Other,
}

impl MapKey {
    pub(super) fn of<K: Serialize + ?Sized>(key: &K) -> Result<Self, Refusal> {
        key.serialize(ToKey { wrappers_left: MAX_WRAPPERS })
    }

    pub(super) fn of_text(text: &str) -> Self {
        MapKey { text: text.to_owned(), was: Was::Text }
    }
}

/// What a key may have been before it became a text.
pub(super) enum Likeness {
    Text,
    Bool(bool),
    Number(Number),
}

/// What a key looks like. Only what [`MapKey`] writes for a number looks like one: `7`, not `07`.
pub(super) fn likeness(key: &str) -> Likeness {
    match key {
        "true" => return Likeness::Bool(true),
        "false" => return Likeness::Bool(false),
        _ if !key.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => return Likeness::Text,
        _ => {}
    }
    match serde_json::from_str::<Number>(key) {
        Ok(number) if number.to_string() == key => Likeness::Number(number),
        _ => Likeness::Text,
    }
}

/// How many newtypes and `Some` a key may have around it: a type that contains itself must not use up the stack.
const MAX_WRAPPERS: u8 = 32;

struct ToKey {
    wrappers_left: u8,
}

impl ToKey {
    fn unwrap<T: Serialize + ?Sized>(self, key: &T) -> Result<MapKey, Refusal> {
        let wrappers_left = self.wrappers_left.checked_sub(1).ok_or(Refusal::TooDeep)?;
        key.serialize(ToKey { wrappers_left })
    }
}

fn neither_text_nor_number() -> Refusal {
    Refusal::custom("a key of a map is neither a text nor a number; store a list of pairs instead")
}

fn signed(number: i64) -> Was {
    if number < 0 { Was::Other } else { Was::Index }
}

fn unsigned(_: u64) -> Was {
    Was::Index
}

macro_rules! as_text {
    ($($method:ident($number:ty) $was:expr;)*) => {
        $(fn $method(self, number: $number) -> Result<MapKey, Refusal> {
            let was = $was;
            Ok(MapKey { text: number.to_string(), was: was(number.into()) })
        })*
    };
}

impl Serializer for ToKey {
    type Ok = MapKey;
    type Error = Refusal;
    type SerializeSeq = Impossible<MapKey, Refusal>;
    type SerializeTuple = Impossible<MapKey, Refusal>;
    type SerializeTupleStruct = Impossible<MapKey, Refusal>;
    type SerializeTupleVariant = Impossible<MapKey, Refusal>;
    type SerializeMap = Impossible<MapKey, Refusal>;
    type SerializeStruct = Impossible<MapKey, Refusal>;
    type SerializeStructVariant = Impossible<MapKey, Refusal>;

    as_text! {
        serialize_bool(bool) |_: bool| Was::Other;
        serialize_i8(i8) signed;
        serialize_i16(i16) signed;
        serialize_i32(i32) signed;
        serialize_i64(i64) signed;
        serialize_u8(u8) unsigned;
        serialize_u16(u16) unsigned;
        serialize_u32(u32) unsigned;
        serialize_u64(u64) unsigned;
    }

    fn serialize_i128(self, _: i128) -> Result<MapKey, Refusal> {
        Err(Refusal::WIDE)
    }

    fn serialize_u128(self, _: u128) -> Result<MapKey, Refusal> {
        Err(Refusal::WIDE)
    }

    fn serialize_f32(self, number: f32) -> Result<MapKey, Refusal> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<MapKey, Refusal> {
        let number = Number::from_f64(number).ok_or(Refusal::NOT_FINITE)?;
        Ok(MapKey { text: number.to_string(), was: Was::Other })
    }

    fn serialize_char(self, character: char) -> Result<MapKey, Refusal> {
        Ok(MapKey { text: character.into(), was: Was::Text })
    }

    fn serialize_str(self, text: &str) -> Result<MapKey, Refusal> {
        Ok(MapKey::of_text(text))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<MapKey, Refusal> {
        Ok(MapKey::of_text(variant))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<MapKey, Refusal> {
        self.unwrap(key)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<MapKey, Refusal> {
        self.unwrap(key)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<MapKey, Refusal> {
        Err(Refusal::BYTES)
    }

    fn serialize_none(self) -> Result<MapKey, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_unit(self) -> Result<MapKey, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<MapKey, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<MapKey, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Refusal> {
        Err(neither_text_nor_number())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refusal> {
        Err(neither_text_nor_number())
    }
}
