use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use triomphe::ThinArc;

use super::attribute::Attribute;

/// A list of names and JSON values, sorted by name. It never changes.
///
/// `Clone` is cheap: it shares the values. A change of a session makes a new list, and older lists stay as they
/// are.
///
/// ```
/// use session_core::Attributes;
///
/// let attributes: Attributes = [("Count".to_owned(), 7.into())].into_iter().collect();
/// assert_eq!(attributes.get("Count"), Some(&7.into()));
/// assert_eq!(attributes.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Count"]);
/// ```
#[derive(Clone, Default)]
pub struct Attributes(
    // None for an empty list, as most sessions have no constants: that takes no memory and no reference count.
    Option<ThinArc<(), Attribute>>,
);

impl Attributes {
    /// The value with this name. `None` if there is none.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(Attribute::value)
    }

    #[inline(always)]
    pub(crate) fn entry(&self, name: &str) -> Option<&Attribute> {
        self.position(name).ok().map(|at| &self.entries()[at])
    }

    /// All names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries().iter().map(|attribute| (attribute.name(), attribute.value()))
    }

    /// The number of attributes.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The size of all names and values, in bytes of JSON.
    pub fn json_bytes(&self) -> usize {
        self.entries().iter().map(Attribute::json_bytes).sum()
    }

    /// The memory that all names and values take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries().iter().map(Attribute::memory_bytes).sum()
    }

    #[inline(always)]
    fn position(&self, name: &str) -> Result<usize, usize> {
        let entries = self.entries();
        // For a few names a linear search is faster than a binary one.
        if entries.len() <= 8 {
            return entries.iter().position(|attribute| attribute.name() == name).ok_or(entries.len());
        }
        entries.binary_search_by(|attribute| attribute.name().cmp(name))
    }

    /// A new list in which `new` replaces the attribute with its name, or is added.
    pub(crate) fn with(&self, new: Attribute) -> Self {
        let Ok(at) = self.position(new.name()) else {
            return self.entries().iter().cloned().chain([new]).collect();
        };
        let mut new = Some(new);
        let entries = self.entries().iter().enumerate();
        // One allocation is enough, because the names and their order stay.
        Attributes::of(entries.map(|(n, old)| new.take_if(|_| n == at).unwrap_or_else(|| old.clone())))
    }

    /// A list without the attribute with this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        if self.get(name).is_none() {
            return self.clone();
        }
        self.entries().iter().filter(|attribute| attribute.name() != name).cloned().collect()
    }

    pub(crate) fn entries(&self) -> &[Attribute] {
        self.0.as_ref().map_or(&[], |entries| &entries.slice)
    }

    /// Makes a list of entries that are sorted by name.
    pub(crate) fn of(entries: impl ExactSizeIterator<Item = Attribute>) -> Self {
        Attributes((entries.len() > 0).then(|| ThinArc::from_header_and_iter((), entries)))
    }
}

/// Collects the members of a JSON object. If a name occurs twice, the later value wins. There is no limit on the
/// size.
impl FromIterator<(String, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        let stored = |(name, value): (String, _)| Attribute::stored(name.into(), value);
        let mut all: Vec<Attribute> = values.into_iter().map(stored).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all.dedup_by(|later, earlier| {
            later.name() == earlier.name() && {
                std::mem::swap(later, earlier);
                true
            }
        });
        Attributes::of(all.into_iter())
    }
}

/// Collects attributes with different names.
impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        let mut all: Vec<Attribute> = attributes.into_iter().collect();
        all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        Attributes::of(all.into_iter())
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Shows only the names, because values may be secret.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = serde_json::Map::deserialize(deserializer)?;
        Ok(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(json: Value) -> Attributes {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_counted_bytes_are_those_of_the_json() {
        let all = attributes(serde_json::json!({"a": 1, "b": "ü\n", "c": [1.5, null]}));
        let json = serde_json::to_string(&all).unwrap();
        // Quotes, colon and comma are counted with each; the braces take the last comma's place.
        assert_eq!(all.json_bytes() + 1, json.len());
    }

    #[test]
    fn many_attributes_are_found_and_stay_sorted() {
        let mut all = Attributes::default();
        for n in [5, 3, 11, 1, 8, 2, 9, 12, 4, 7, 6, 10] {
            all = all.with(Attribute::new(&format!("n{n:02}"), &n).unwrap());
        }
        assert!(all.iter().map(|(name, _)| name).is_sorted());
        assert!((1..=12).all(|n| all.get(&format!("n{n:02}")) == Some(&n.into())));
        assert_eq!(all.get("n13"), None);
    }

    #[test]
    fn an_attribute_is_taken_out_and_the_last_one_leaves_nothing() {
        let all = attributes(serde_json::json!({"a": 1, "b": 2}));
        assert_eq!(all.without("a"), attributes(serde_json::json!({"b": 2})));
        assert_eq!(all.without("c"), all);
        assert!(all.without("a").without("b").is_empty());
    }

    #[test]
    fn a_change_copies_no_other_value() {
        let before = attributes(serde_json::json!({"other": "x", "changed": 1}));
        let after = before.with(Attribute::new("changed", &2).unwrap());
        let at = |all: &Attributes| std::ptr::from_ref(all.get("other").unwrap());
        assert_eq!(at(&before), at(&after));
        assert_eq!(after.get("changed"), Some(&2.into()));
    }
}
