//! B71: values that are nested deeper than can be read are refused, whatever they are made of.

use std::thread;

use serde::ser::{SerializeMap, SerializeTupleVariant};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use session_core::{AttributeError, Error, MemoryStore, NewSession, SessionManager};

use super::{assert_comes_back, assert_refused};

const DEPTH: usize = 120;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lists(Vec<Lists>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Variants {
    Last,
    Newtype(Box<Variants>),
    Two(Box<Variants>, u8),
    Fields { next: Box<Variants> },
}

fn nested<T>(depth: usize, first: T, around: impl Fn(T) -> T) -> T {
    (0..depth).fold(first, |inner, _| around(inner))
}

fn lists(depth: usize) -> Lists {
    nested(depth - 1, Lists(Vec::new()), |inner| Lists(vec![inner]))
}

fn chain(depth: usize) -> Chain {
    nested(depth - 1, Chain { next: None }, |inner| Chain { next: Some(inner.into()) })
}

fn arrays(depth: usize) -> Value {
    nested(depth, Value::Null, |inner| vec![inner].into())
}

fn objects(depth: usize) -> Value {
    nested(depth, Value::Null, |inner| Value::from_iter([("a", inner)]))
}

#[test]
fn a_value_as_deep_as_allowed_comes_back_and_a_deeper_one_is_refused_with_the_limit() {
    let message = "nested deeper than 120 levels";
    assert_comes_back(&lists(DEPTH));
    assert_refused(&lists(DEPTH + 1), message);
    assert_comes_back(&chain(DEPTH));
    assert_refused(&chain(DEPTH + 1), message);
    assert_comes_back(&arrays(DEPTH));
    assert_refused(&arrays(DEPTH + 1), message);
    assert_comes_back(&objects(DEPTH));
    assert_refused(&objects(DEPTH + 1), message);
}

#[test]
fn a_variant_with_data_is_one_level_or_two() {
    let newtypes = |depth| nested(depth, Variants::Last, |inner| Variants::Newtype(inner.into()));
    let tuples = |depth| nested(depth, Variants::Last, |inner| Variants::Two(inner.into(), 1));
    let structs = |depth| nested(depth, Variants::Last, |inner| Variants::Fields { next: inner.into() });
    let message = "nested deeper than 120 levels";
    assert_comes_back(&newtypes(DEPTH));
    assert_refused(&newtypes(DEPTH + 1), message);
    assert_comes_back(&tuples(DEPTH / 2));
    assert_refused(&tuples(DEPTH / 2 + 1), message);
    assert_comes_back(&structs(DEPTH / 2));
    assert_refused(&structs(DEPTH / 2 + 1), message);
}

/// Serializes itself inside itself, as deep as a stack allows and deeper.
struct Endless<F>(F);

#[derive(Clone, Copy)]
enum Form {
    List,
    Map,
    Key,
    Some,
    Newtype,
    Variant,
    TupleVariant,
}

impl Serialize for Endless<Form> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = Endless(self.0);
        match self.0 {
            Form::List => serializer.collect_seq([inner]),
            Form::Map => serializer.collect_map([("a", inner)]),
            Form::Key => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&Endless(Form::Newtype), &1)?;
                map.end()
            }
            Form::Some => serializer.serialize_some(&inner),
            Form::Newtype => serializer.serialize_newtype_struct("Newtype", &inner),
            Form::Variant => serializer.serialize_newtype_variant("Enum", 0, "Variant", &inner),
            Form::TupleVariant => {
                let mut variant = serializer.serialize_tuple_variant("Enum", 0, "Variant", 1)?;
                variant.serialize_field(&inner)?;
                variant.end()
            }
        }
    }
}

/// As on a worker thread of tokio, whose stack has 2 MiB. An overflow would abort the process.
#[test]
fn serializing_stops_at_the_limit_by_itself() {
    let set = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let sessions = SessionManager::builder(MemoryStore::new()).without_background_purge().build().expect("built");
        let session = runtime.block_on(sessions.create(NewSession::new())).expect("the store works");
        for form in [Form::List, Form::Map, Form::Key, Form::Some, Form::Newtype, Form::Variant, Form::TupleVariant] {
            let refused = session.set_attr("endless", &Endless(form));
            assert!(matches!(refused, Err(Error::Attribute(AttributeError::TooDeep { limit: DEPTH, .. }))));
        }
        assert!(session.attrs().is_empty());
    };
    thread::Builder::new().stack_size(1 << 20).spawn(set).expect("a thread").join().expect("no panic");
}
