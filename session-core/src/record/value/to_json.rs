//! From a value to JSON. What would not come back as it was is refused: whoever sets a value can store it otherwise,
//! and whoever reads it finds it lost.
//!
//! serde_json's own serializer writes NaN as null, keeps one of two entries with the same key, and goes as deep as
//! the value does.

use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Map, Number, Value};

use super::json_size::{number_bytes, signed_bytes, text_bytes, unsigned_bytes};
use super::map_key::{MapKey, Was};
use super::refusal::Refusal;
use super::tally::{Place, Tally};

/// Turns a value into JSON. Also gives the bytes that it takes, added to `bytes`.
pub(in crate::record) fn to_json<V: Serialize + ?Sized>(value: &V, bytes: usize) -> Result<(Value, usize), Refusal> {
    let mut tally = Tally::from(bytes);
    let value = value.serialize(ToJson { tally: &mut tally, place: Place::TOP })?;
    Ok((value, tally.end()?))
}

struct ToJson<'a> {
    tally: &'a mut Tally,
    place: Place,
}

impl<'a> ToJson<'a> {
    fn inside(self, levels: u8) -> Result<Self, Refusal> {
        Ok(ToJson { place: self.place.inside(levels)?, ..self })
    }

    fn null(self) -> Result<Value, Refusal> {
        if self.place.is_in_some {
            return Err(Refusal::NULL_IN_SOME);
        }
        self.tally.add(4)?;
        Ok(Value::Null)
    }

    fn text(self, text: String) -> Result<Value, Refusal> {
        self.tally.add(text_bytes(&text))?;
        Ok(Value::String(text))
    }

    /// An element, or a value of an object, of what is at this place.
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Value, Refusal> {
        value.serialize(ToJson { tally: self.tally, place: self.place })
    }

    /// The object around what a variant holds: a brace on each side, name and colon.
    fn variant(self, name: &str) -> Result<Self, Refusal> {
        self.tally.add(2 + text_bytes(name) + 1)?;
        self.inside(1)
    }

    fn list(self, len: usize, variant: Option<&'static str>) -> Result<List<'a>, Refusal> {
        let to = self.inside(1)?;
        to.tally.add(2)?;
        let values = Vec::with_capacity(len.min(to.tally.room()));
        Ok(List { to, values, variant })
    }

    fn object(self, variant: Option<&'static str>) -> Result<Object<'a>, Refusal> {
        let to = self.inside(1)?;
        to.tally.add(2)?;
        Ok(Object { to, members: Map::new(), key: None, is_flat: false, variant })
    }
}

fn in_variant(name: Option<&'static str>, value: Value) -> Value {
    match name {
        Some(name) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        None => value,
    }
}

macro_rules! integers {
    ($($method:ident($number:ty) $bytes:ident;)*) => {
        $(#[inline]
        fn $method(self, number: $number) -> Result<Value, Refusal> {
            self.tally.add($bytes(number.into()))?;
            Ok(Value::Number(number.into()))
        })*
    };
}

impl<'a> Serializer for ToJson<'a> {
    type Ok = Value;
    type Error = Refusal;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = Object<'a>;

    integers! {
        serialize_i8(i8) signed_bytes;
        serialize_i16(i16) signed_bytes;
        serialize_i32(i32) signed_bytes;
        serialize_i64(i64) signed_bytes;
        serialize_u8(u8) unsigned_bytes;
        serialize_u16(u16) unsigned_bytes;
        serialize_u32(u32) unsigned_bytes;
        serialize_u64(u64) unsigned_bytes;
    }

    fn serialize_i128(self, _: i128) -> Result<Value, Refusal> {
        Err(Refusal::WIDE)
    }

    fn serialize_u128(self, _: u128) -> Result<Value, Refusal> {
        Err(Refusal::WIDE)
    }

    /// As an `f64`, which has every `f32` exactly.
    fn serialize_f32(self, number: f32) -> Result<Value, Refusal> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<Value, Refusal> {
        let number = Number::from_f64(number).ok_or(Refusal::NOT_FINITE)?;
        self.tally.add(number_bytes(&number))?;
        Ok(Value::Number(number))
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<Value, Refusal> {
        self.tally.add(if value { 4 } else { 5 })?;
        Ok(Value::Bool(value))
    }

    fn serialize_char(self, character: char) -> Result<Value, Refusal> {
        self.text(character.into())
    }

    fn serialize_str(self, text: &str) -> Result<Value, Refusal> {
        self.tally.add(text_bytes(text))?;
        Ok(Value::String(text.to_owned()))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Value, Refusal> {
        self.text(value.to_string())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, Refusal> {
        Err(Refusal::BYTES)
    }

    fn serialize_none(self) -> Result<Value, Refusal> {
        self.null()
    }

    fn serialize_unit(self) -> Result<Value, Refusal> {
        self.null()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Refusal> {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Refusal> {
        value.serialize(ToJson { place: self.place.in_some()?, ..self })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value, Refusal> {
        value.serialize(ToJson { place: self.place.wrapped()?, ..self })
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, Refusal> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Refusal> {
        Ok(in_variant(Some(variant), self.variant(variant)?.element(value)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a>, Refusal> {
        self.list(len.unwrap_or(0), None)
    }

    fn serialize_tuple(self, len: usize) -> Result<List<'a>, Refusal> {
        self.list(len, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List<'a>, Refusal> {
        self.list(len, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a>, Refusal> {
        self.variant(variant)?.list(len, Some(variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Object<'a>, Refusal> {
        Ok(Object { is_flat: len.is_none(), ..self.object(None)? })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Struct<'a>, Refusal> {
        if !name.starts_with("$serde_json::private::") {
            return Ok(Struct::Own(self.object(None)?));
        }
        let fields = serde_json::value::Serializer.serialize_struct(name, len).map_err(Refusal::Failed)?;
        Ok(Struct::OfSerdeJson { to: self, fields })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Refusal> {
        self.variant(variant)?.object(Some(variant))
    }
}

struct List<'a> {
    to: ToJson<'a>,
    values: Vec<Value>,
    /// Of an enum, if the list is what its variant holds.
    variant: Option<&'static str>,
}

impl List<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        if !self.values.is_empty() {
            self.to.tally.add(1)?;
        }
        self.values.push(self.to.element(value)?);
        Ok(())
    }

    fn done(self) -> Result<Value, Refusal> {
        Ok(in_variant(self.variant, Value::Array(self.values)))
    }
}

struct Object<'a> {
    to: ToJson<'a>,
    members: Map<String, Value>,
    /// The last one, whose value is yet to come.
    key: Option<MapKey>,
    /// Whether its length is not known before, as that of a struct with a flattened field. serde reads the names of
    /// such a struct as texts or as numbers from 0 on.
    is_flat: bool,
    variant: Option<&'static str>,
}

impl Object<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, key: MapKey, value: &T) -> Result<(), Refusal> {
        if !self.members.is_empty() {
            self.to.tally.add(1)?;
        }
        if self.is_flat && key.was == Was::Other {
            return Err(Refusal::FLAT_KEY);
        }
        self.to.tally.key(&key)?;
        let value = self.to.element(value)?;
        match self.members.insert(key.text, value) {
            Some(_) => Err(Refusal::SAME_KEY),
            None => Ok(()),
        }
    }

    fn done(self) -> Result<Value, Refusal> {
        Ok(in_variant(self.variant, Value::Object(self.members)))
    }
}

/// A struct. serde_json's own ones stand for a number or for JSON text, and are its secret.
enum Struct<'a> {
    Own(Object<'a>),
    OfSerdeJson { to: ToJson<'a>, fields: <serde_json::value::Serializer as Serializer>::SerializeStruct },
}

impl SerializeStruct for Struct<'_> {
    type Ok = Value;
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        match self {
            Struct::Own(object) => object.put(MapKey::of_text(name), value),
            Struct::OfSerdeJson { fields, .. } => fields.serialize_field(name, value).map_err(Refusal::Failed),
        }
    }

    fn end(self) -> Result<Value, Refusal> {
        let (to, value) = match self {
            Struct::Own(object) => return object.done(),
            Struct::OfSerdeJson { to, fields } => (to, SerializeStruct::end(fields).map_err(Refusal::Failed)?),
        };
        match value {
            Value::Number(number) => {
                to.tally.add(number_bytes(&number))?;
                Ok(Value::Number(number))
            }
            value => value.serialize(to),
        }
    }
}

impl SerializeMap for Object<'_> {
    type Ok = Value;
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        self.key = Some(MapKey::of(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let key = self.key.take().ok_or_else(|| serde::ser::Error::custom("a value of a map has no key"))?;
        self.put(key, value)
    }

    fn end(self) -> Result<Value, Refusal> {
        self.done()
    }
}

macro_rules! lists {
    ($($kind:ident $method:ident)*) => {
        $(impl $kind for List<'_> {
            type Ok = Value;
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
                self.push(value)
            }

            fn end(self) -> Result<Value, Refusal> {
                self.done()
            }
        })*
    };
}

lists! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

impl SerializeStructVariant for Object<'_> {
    type Ok = Value;
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        self.put(MapKey::of_text(name), value)
    }

    fn end(self) -> Result<Value, Refusal> {
        self.done()
    }
}
