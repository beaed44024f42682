//! From JSON to a value.

use std::any::type_name;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

use crate::error::AttributeError;

use super::map_key::{Likeness, likeness};

/// Reads the value of this attribute as a `T`.
///
/// JSON has only texts as keys. Where a type with keys of another kind is read directly, it asks for that kind. Inside
/// an enum with a tag, an untagged enum or a flattened field, serde first takes everything as it is, and a key that
/// was taken as a text is no number any more. So if that fails, all keys that look like numbers are numbers. This is
/// right because no value is stored that has both these and texts that look like them.
pub(crate) fn read<T: DeserializeOwned>(name: &str, value: &Value) -> Result<T, AttributeError> {
    T::deserialize(value).or_else(|source| read_again(name, value, source))
}

#[cold]
fn read_again<T: DeserializeOwned>(name: &str, value: &Value, source: Error) -> Result<T, AttributeError> {
    if (value.is_array() || value.is_object())
        && let Ok(value) = T::deserialize(Json(value))
    {
        return Ok(value);
    }
    Err(AttributeError::Type { name: name.to_owned(), expected: type_name::<T>(), source })
}

/// JSON whose keys are numbers where they look like numbers.
#[derive(Clone, Copy)]
struct Json<'de>(&'de Value);

impl<'de> Json<'de> {
    fn members(members: &'de Map<String, Value>) -> impl Iterator<Item = (Key<'de>, Json<'de>)> {
        members.iter().map(|(key, value)| (Key(key), Json(value)))
    }

    /// The fields of a struct have names, which are texts whatever they look like.
    fn fields(members: &'de Map<String, Value>) -> impl Iterator<Item = (&'de str, Json<'de>)> {
        members.iter().map(|(key, value)| (key.as_str(), Json(value)))
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(values) => SeqDeserializer::new(values.iter().map(Json)).deserialize_any(visitor),
            Value::Object(members) => MapDeserializer::new(Json::members(members)).deserialize_any(visitor),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(members) => MapDeserializer::new(Json::fields(members)).deserialize_any(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(members) if members.len() == 1 => {
                let (variant, value) = members.iter().next().expect("there is one");
                visitor.visit_enum(Variant { name: variant, value: Json(value) })
            }
            other => other.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Json<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A variant with data: `{"name": value}`.
struct Variant<'de> {
    name: &'de str,
    value: Json<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Json<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Json<'de>), Error> {
        Ok((seed.deserialize(IntoDeserializer::<Error>::into_deserializer(self.name))?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Json<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    // serde_json's own takes an empty list for a unit, which no tuple variant accepts.
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// A key that is a number or a bool if it looks like one, unless a text is asked for.
struct Key<'de>(&'de str);

macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_borrowed_str(self.0)
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match likeness(self.0) {
            Likeness::Text => visitor.visit_borrowed_str(self.0),
            Likeness::Bool(value) => visitor.visit_bool(value),
            Likeness::Number(number) => number.deserialize_any(visitor),
        }
    }

    texts! { deserialize_char deserialize_str deserialize_string }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        IntoDeserializer::<Error>::into_deserializer(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Key<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_type_names_attribute_and_type() {
        let error = read::<u32>("Count", &Value::from("x")).unwrap_err();
        assert_eq!(error.to_string(), "attribute \"Count\" is not a u32");
    }
}
