use std::time::Duration;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::record::{Attribute, Attributes, Record, RecordKey, Renewal};
use crate::time::Time;

/// The changes that one request made to a session's data: the last effect on each attribute, and settings.
///
/// After a conflict they are applied again to the newer record, and change nothing else in it.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    /// In order of the names. Most requests change one attribute at most, which then takes no memory of its own.
    effects: SmallVec<[Effect; 1]>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) persistent: Option<bool>,
    /// The client has presented an id that it was offered.
    pub(crate) taken_offer: Option<Box<TakenOffer>>,
}

#[derive(Clone)]
pub(crate) struct TakenOffer {
    pub(crate) presented: RecordKey,
    pub(crate) at: Time,
    /// How long the ids go on that it replaces.
    pub(crate) grace: Duration,
}

#[derive(Clone)]
enum Effect {
    Set(Attribute),
    Removed(SmolStr),
}

impl Effect {
    fn name(&self) -> &str {
        match self {
            Effect::Set(new) => new.name(),
            Effect::Removed(name) => name,
        }
    }

    /// The attribute as it was set, unless it was removed.
    fn attribute(&self) -> Option<&Attribute> {
        match self {
            Effect::Set(new) => Some(new),
            Effect::Removed(_) => None,
        }
    }
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_edits() && self.taken_offer.is_none()
    }

    /// Whether the application has changed anything.
    pub(crate) fn has_edits(&self) -> bool {
        !self.names_none() || self.idle_timeout.is_some() || self.persistent.is_some()
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        if !self.names_none() {
            self.effects.clear();
        }
        self.idle_timeout = None;
        self.persistent = None;
        self.taken_offer = None;
    }

    /// Whether no attribute is changed.
    pub(crate) fn names_none(&self) -> bool {
        self.effects.is_empty()
    }

    pub(crate) fn set(&mut self, new: Attribute) {
        self.put(Effect::Set(new));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.put(Effect::Removed(SmolStr::new(name)));
    }

    fn put(&mut self, effect: Effect) {
        match self.position(effect.name()) {
            Ok(at) => self.effects[at] = effect,
            Err(at) => self.effects.insert(at, effect),
        }
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.effects.binary_search_by(|effect| effect.name().cmp(name))
    }

    /// The effect on this name: none, removed, or set.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Option<&Attribute>> {
        // Most requests read before they change anything.
        if self.names_none() {
            return None;
        }
        let at = self.position(name).ok()?;
        Some(self.effects[at].attribute())
    }

    pub(crate) fn last_name(&self) -> Option<&str> {
        self.effects.last().map(Effect::name)
    }

    fn set_ones(&self) -> impl Iterator<Item = &Attribute> {
        self.effects.iter().filter_map(Effect::attribute)
    }

    pub(crate) fn json_bytes(&self) -> usize {
        self.set_ones().map(Attribute::json_bytes).sum()
    }

    /// Joins these changes with later ones, which win.
    pub(crate) fn followed_by(mut self, later: Changes) -> Changes {
        if self.is_empty() {
            return later;
        }
        for effect in later.effects {
            self.put(effect);
        }
        self.idle_timeout = later.idle_timeout.or(self.idle_timeout);
        self.persistent = later.persistent.or(self.persistent);
        self.taken_offer = later.taken_offer.or(self.taken_offer);
        self
    }

    /// The attributes with these changes.
    pub(crate) fn applied_to(&self, before: &Attributes) -> Attributes {
        if self.names_none() {
            return before.clone();
        }
        let entries = before.entries();
        if self.only_replaces(entries) {
            let mut set = self.set_ones().peekable();
            let replaced = |old: &Attribute| set.next_if(|new| new.name() == old.name()).unwrap_or(old).clone();
            // One allocation, as nothing moves.
            return Attributes::of(entries.iter().map(replaced));
        }
        let kept = entries.iter().filter(|old| self.get(old.name()).is_none());
        kept.chain(self.set_ones()).cloned().collect()
    }

    /// Whether all that was set has a name of these, and nothing was removed.
    fn only_replaces(&self, before: &[Attribute]) -> bool {
        // Both are in the same order.
        let mut before = before.iter();
        self.effects
            .iter()
            .all(|effect| effect.attribute().is_some_and(|new| before.any(|old| old.name() == new.name())))
    }

    /// The attributes that these changes set, for a session that had none before.
    pub(crate) fn into_attributes(self) -> Attributes {
        let set = |effect| match effect {
            Effect::Set(new) => Some(new),
            Effect::Removed(_) => None,
        };
        let set: Vec<Attribute> = self.effects.into_iter().filter_map(set).collect();
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
        if let Some(TakenOffer { presented, at, grace }) = self.taken_offer.as_deref() {
            Renewal::take_offer(record, *presented, *at, *grace);
        }
    }

    /// The attributes with these changes, and an update of one after them.
    pub(crate) fn updated(&self, before: &Attributes, update: Option<Attribute>) -> Attributes {
        match update {
            None => self.applied_to(before),
            // Most updates come alone, and counting a reference takes as long as the rest.
            Some(update) if self.names_none() => before.with(update),
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
