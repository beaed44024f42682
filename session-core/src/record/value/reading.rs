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
    let compound = value.is_array() || value.is_object();
    for keys in if compound { &[Keys::Texts, Keys::Alike][..] } else { &[] } {
        if let Ok(value) = T::deserialize(Json { value, keys: *keys }) {
            return Ok(value);
        }
    }
    Err(AttributeError::Type { name: name.to_owned(), expected: type_name::<T>(), source })
}

/// What the keys of maps are taken for, where serde takes everything as it is.
#[derive(Clone, Copy)]
enum Keys {
    /// As serde_json itself does. It can't read a tuple variant without values, so this is tried too.
    Texts,
    /// Numbers and bools where they look like these.
    Alike,
}

#[derive(Clone, Copy)]
struct Json<'de> {
    value: &'de Value,
    keys: Keys,
}

impl<'de> Json<'de> {
    fn inner(self, value: &'de Value) -> Self {
        Json { value, ..self }
    }

    fn elements(self, values: &'de [Value]) -> impl Iterator<Item = Json<'de>> {
        values.iter().map(move |value| self.inner(value))
    }

    fn members(self, members: &'de Map<String, Value>) -> impl Iterator<Item = (Key<'de>, Json<'de>)> {
        members.iter().map(move |(text, value)| (Key { text, keys: self.keys }, self.inner(value)))
    }

    /// The fields of a struct have names, which are texts whatever they look like.
    fn fields(self, members: &'de Map<String, Value>) -> impl Iterator<Item = (&'de str, Json<'de>)> {
        members.iter().map(move |(name, value)| (name.as_str(), self.inner(value)))
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(values) => SeqDeserializer::new(self.elements(values)).deserialize_any(visitor),
            Value::Object(members) => MapDeserializer::new(self.members(members)).deserialize_any(visitor),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
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
        match self.value {
            Value::Object(members) => MapDeserializer::new(self.fields(members)).deserialize_any(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(members) if members.len() == 1 => {
                let (name, value) = self.fields(members).next().expect("there is one");
                visitor.visit_enum(Variant { name, value })
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

struct Key<'de> {
    text: &'de str,
    keys: Keys,
}

impl<'de> Key<'de> {
    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text)
    }

    fn alike<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match likeness(self.text) {
            Likeness::Text => self.text(visitor),
            Likeness::Bool(value) => visitor.visit_bool(value),
            Likeness::Number(number) => number.deserialize_any(visitor),
        }
    }
}

/// What is asked for is given, as far as the key looks like it.
macro_rules! asked {
    ($($method:ident $give:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$give(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.keys {
            Keys::Texts => self.text(visitor),
            Keys::Alike => self.alike(visitor),
        }
    }

    asked! {
        deserialize_char text;
        deserialize_str text;
        deserialize_string text;
        deserialize_bool alike;
        deserialize_i8 alike;
        deserialize_i16 alike;
        deserialize_i32 alike;
        deserialize_i64 alike;
        deserialize_u8 alike;
        deserialize_u16 alike;
        deserialize_u32 alike;
        deserialize_u64 alike;
        deserialize_f32 alike;
        deserialize_f64 alike;
    }

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
        IntoDeserializer::<Error>::into_deserializer(self.text).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
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
