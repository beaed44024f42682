//! B79: types that no library can judge when a value is set, because what they write looks like anything else. The guide
//! `docs/guides/attributes.md` lists them; here each does what the list says.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use session_core::{AttributeError, Error, NewSession};

use super::stores::managers;

/// What comes back in the same request and in the next, the same on each store. `None` if it can't be read.
#[track_caller]
fn came_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut all = Vec::new();
    for managed in managers() {
        runtime.block_on(async {
            let sessions = &managed.sessions;
            let session = sessions.create(NewSession::new()).await.expect("the store works");
            session.set_attr("value", value).expect("nobody can know");
            all.push(session.attr::<T>("value"));
            session.save().await.expect("the store works");
            let later = sessions.get(session.id().as_str()).await.expect("the store works").expect("it is there");
            all.push(later.attr("value"));
        });
    }
    let mut all = all.into_iter().map(|read| match read {
        Ok(value) => Some(value.expect("it was set")),
        Err(Error::Attribute(AttributeError::Type { .. })) => None,
        Err(error) => panic!("{error}"),
    });
    let first = all.next().expect("there is a store");
    assert!(all.all(|other| other == first), "stores differ");
    first
}

#[test]
fn of_untagged_variants_that_look_the_same_the_first_comes_back() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Overlapping {
        Float(f64),
        Integer(u8),
        Character(char),
        Text(String),
        First { a: Option<u8> },
        Second { b: u8 },
        Unit,
        OtherUnit,
    }
    use Overlapping::*;
    assert_eq!(came_back(&Integer(1)), Some(Float(1.0)));
    assert_eq!(came_back(&Text("a".to_owned())), Some(Character('a')));
    assert_eq!(came_back(&Second { b: 1 }), Some(First { a: None }));
    assert_eq!(came_back(&OtherUnit), Some(Unit));
    assert_eq!(came_back(&Text("ab".to_owned())), Some(Text("ab".to_owned())));
}

#[test]
fn a_field_that_is_not_written_comes_back_as_its_default_or_not_at_all() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct WithDefault {
        #[serde(skip)]
        cached: u8,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct WithoutDefault {
        #[serde(skip_serializing)]
        secret: u8,
    }
    assert_eq!(came_back(&WithDefault { cached: 1 }), Some(WithDefault { cached: 0 }));
    assert_eq!(came_back(&WithoutDefault { secret: 1 }), None);
}

#[test]
fn a_type_that_writes_what_it_does_not_read_can_not_be_read() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Renamed {
        #[serde(rename(serialize = "written", deserialize = "read"))]
        field: u8,
    }
    fn as_text<S: Serializer>(number: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct OneWay {
        #[serde(serialize_with = "as_text")]
        field: u8,
    }
    assert_eq!(came_back(&Renamed { field: 1 }), None);
    assert_eq!(came_back(&OneWay { field: 1 }), None);
}

#[test]
fn a_flattened_option_is_none_where_its_content_can_not_be_read_and_some_where_nothing_is_missing() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbers {
        numbers: BTreeMap<u8, u8>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Optional {
        field: Option<u8>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat<T> {
        #[serde(flatten)]
        inner: Option<T>,
    }
    let numbers = Numbers { numbers: BTreeMap::from([(1, 1)]) };
    assert_eq!(came_back(&Flat { inner: Some(numbers) }), Some(Flat { inner: None }));
    assert_eq!(came_back(&Flat::<Optional> { inner: None }), Some(Flat { inner: Some(Optional { field: None }) }));
}

#[test]
fn of_two_flattened_maps_each_comes_back_with_the_entries_of_both() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct TwoMaps {
        #[serde(flatten)]
        first: BTreeMap<String, u8>,
        #[serde(flatten)]
        second: BTreeMap<String, u8>,
    }
    let map = |entries: &[&str]| entries.iter().map(|name| (name.to_string(), 1)).collect::<BTreeMap<_, _>>();
    let both = TwoMaps { first: map(&["a", "b"]), second: map(&["a", "b"]) };
    assert_eq!(came_back(&TwoMaps { first: map(&["a"]), second: map(&["b"]) }), Some(both));
}

/// A map that remembers the order of its entries, as those of the crate `indexmap`.
#[derive(Debug, PartialEq)]
struct Ordered(Vec<(String, u8)>);

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Ordered;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[test]
fn entries_of_a_map_come_back_in_the_order_of_their_keys() {
    let entries = |names: [&str; 3]| Ordered(names.map(|name| (name.to_owned(), 1)).into());
    assert_eq!(came_back(&entries(["b", "c", "a"])), Some(entries(["a", "b", "c"])));
}
