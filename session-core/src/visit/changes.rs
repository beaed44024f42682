use std::time::Duration;

use smol_str::SmolStr;

use crate::record::Attribute;
use crate::record::{Attributes, Record};

/// The changes that one request made to a session's data: the last effect on each attribute, and settings.
///
/// After a conflict they are applied again to the newer record, and change nothing else in it.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    /// In order of the names.
    attributes: Vec<(SmolStr, Option<Attribute>)>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) persistent: Option<bool>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.idle_timeout.is_none() && self.persistent.is_none()
    }

    /// Whether no attribute is changed.
    pub(crate) fn names_none(&self) -> bool {
        self.attributes.is_empty()
    }

    pub(crate) fn set(&mut self, new: Attribute) {
        self.put(SmolStr::new(new.name()), Some(new));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.put(SmolStr::new(name), None);
    }

    fn put(&mut self, name: SmolStr, effect: Option<Attribute>) {
        match self.position(&name) {
            Ok(at) => self.attributes[at].1 = effect,
            Err(at) => self.attributes.insert(at, (name, effect)),
        }
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.attributes.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// The effect on this name: none, removed, or set.
    pub(crate) fn get(&self, name: &str) -> Option<Option<&Attribute>> {
        let at = self.position(name).ok()?;
        Some(self.attributes[at].1.as_ref())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&Attribute>)> {
        self.attributes.iter().map(|(name, effect)| (name.as_str(), effect.as_ref()))
    }

    pub(crate) fn json_bytes(&self) -> usize {
        self.iter().filter_map(|(_, set)| set).map(Attribute::json_bytes).sum()
    }

    /// Joins these changes with later ones, which win.
    pub(crate) fn followed_by(mut self, later: Changes) -> Changes {
        if self.is_empty() {
            return later;
        }
        for (name, effect) in later.attributes {
            self.put(name, effect);
        }
        self.idle_timeout = later.idle_timeout.or(self.idle_timeout);
        self.persistent = later.persistent.or(self.persistent);
        self
    }

    /// The attributes with these changes.
    pub(crate) fn applied_to(&self, before: &Attributes) -> Attributes {
        if self.attributes.is_empty() {
            return before.clone();
        }
        let before_entries = before.entries();
        if self.iter().all(|(name, new)| new.is_some() && before.get(name).is_some()) {
            let updated = |old: &Attribute| self.get(old.name()).flatten().unwrap_or(old).clone();
            // One allocation, as nothing moves.
            return Attributes::of(before_entries.iter().map(updated));
        }
        let kept = before_entries.iter().filter(|old| self.get(old.name()).is_none());
        let set = self.iter().filter_map(|(_, new)| new);
        kept.chain(set).cloned().collect()
    }

    /// The attributes that these changes set, for a session that had none before.
    pub(crate) fn into_attributes(self) -> Attributes {
        let set: Vec<Attribute> = self.attributes.into_iter().filter_map(|(_, set)| set).collect();
        Attributes::of(set.into_iter())
    }

    /// Makes these changes to a record.
    pub(crate) fn apply_to(&self, record: &mut Record) {
        record.attributes = self.applied_to(&record.attributes);
        self.apply_settings_to(record);
    }

    pub(crate) fn apply_settings_to(&self, record: &mut Record) {
        record.idle_timeout = self.idle_timeout.unwrap_or(record.idle_timeout);
        record.persistent = self.persistent.unwrap_or(record.persistent);
    }

    /// The attributes with these changes, and an update of one after them.
    pub(crate) fn updated(&self, before: &Attributes, update: Option<Attribute>) -> Attributes {
        match update {
            None => self.applied_to(before),
            // Most updates come alone, and counting a reference takes as long as the rest.
            Some(update) if self.attributes.is_empty() => before.with(update),
            Some(update) => self.applied_to(before).with(update),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, value: i32) -> Attribute {
        Attribute::new(name, &value).unwrap()
    }

    fn applied(before: serde_json::Value, changes: &Changes) -> serde_json::Value {
        let before: Attributes = serde_json::from_value(before).unwrap();
        serde_json::to_value(changes.applied_to(&before)).unwrap()
    }

    #[test]
    fn the_last_effect_on_each_attribute_counts() {
        let mut changes = Changes::default();
        changes.set(attribute("added then changed", 1));
        changes.set(attribute("added then changed", 2));
        changes.set(attribute("added then removed", 1));
        changes.remove("added then removed");
        changes.remove("removed then added");
        changes.set(attribute("removed then added", 3));
        changes.remove("unknown");
        let before = serde_json::json!({"removed then added": 0, "other": 7});
        let after = serde_json::json!({"added then changed": 2, "removed then added": 3, "other": 7});
        assert_eq!(applied(before, &changes), after);
    }

    #[test]
    fn later_changes_win() {
        let mut first = Changes::default();
        first.set(attribute("a", 1));
        first.set(attribute("b", 1));
        let mut second = Changes::default();
        second.remove("a");
        let both = first.followed_by(second);
        assert_eq!(applied(serde_json::json!({}), &both), serde_json::json!({"b": 1}));
    }
}
