use std::time::Duration;

use smol_str::SmolStr;

use crate::record::{Attribute, Attributes, DeviceChange, Record, RecordKey, Renewal};
use crate::time::Time;

use super::effects::{Effect, Effects};

/// The changes that one request made to a session's data: the last effect on each attribute, and settings.
///
/// After a conflict they are applied again to the newer record, and change nothing else in it.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    effects: Effects,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) persistent: Option<bool>,
    /// The client has presented an id that it was offered.
    pub(crate) taken_offer: Option<Box<TakenOffer>>,
    /// What the request says of the device to which the session is bound.
    pub(crate) device: Option<Box<DeviceChange>>,
}

#[derive(Clone)]
pub(crate) struct TakenOffer {
    pub(crate) presented: RecordKey,
    pub(crate) at: Time,
    /// How long the ids go on that it replaces.
    pub(crate) grace: Duration,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_edits() && self.taken_offer.is_none() && self.device.is_none()
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
        self.device = None;
    }

    /// Drops what the application has changed. What the client itself has shown stays.
    pub(crate) fn without_edits(&mut self) -> Self {
        Changes { taken_offer: self.taken_offer.take(), device: self.device.take(), ..Changes::default() }
    }

    /// Drops what is so in the record already.
    pub(crate) fn drop_made(&mut self, record: &Record) {
        self.device.take_if(|change| change.is_made_in(record));
    }

    /// Whether no attribute is changed.
    pub(crate) fn names_none(&self) -> bool {
        self.effects.is_empty()
    }

    pub(crate) fn set(&mut self, new: Attribute) {
        self.effects.put(Effect::Set(new));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.effects.put(Effect::Removed(SmolStr::new(name)));
    }

    /// The effect on this name: none, removed, or set.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Option<&Attribute>> {
        // Most requests read before they change anything.
        if self.names_none() {
            return None;
        }
        self.effects.get(name).map(Effect::attribute)
    }

    /// Tells the name of each attribute that is changed, and what it is set to.
    pub(crate) fn for_each(&self, mut tell: impl FnMut(&str, Option<&Attribute>)) {
        self.effects.for_each(|effect| tell(effect.name(), effect.attribute()));
    }

    pub(crate) fn last_name(&self) -> Option<&str> {
        self.effects.last().map(Effect::name)
    }

    /// Joins these changes with later ones, which win.
    pub(crate) fn followed_by(mut self, later: Changes) -> Changes {
        if self.is_empty() {
            return later;
        }
        later.effects.into_each(|effect| self.effects.put(effect));
        self.idle_timeout = later.idle_timeout.or(self.idle_timeout);
        self.persistent = later.persistent.or(self.persistent);
        self.taken_offer = later.taken_offer.or(self.taken_offer);
        self.device = later.device.or(self.device);
        self
    }

    /// The attributes with these changes.
    pub(crate) fn applied_to(&self, before: &Attributes) -> Attributes {
        let entries = before.entries();
        let effects = match &self.effects {
            Effects::Few(few) if few.is_empty() => return before.clone(),
            Effects::Few(few) => &few[..],
            Effects::Many(many) => {
                let kept = entries.iter().filter(|old| !many.contains_key(old.name()));
                return kept.chain(set_ones(many.values())).cloned().collect();
            }
        };
        if only_replace(effects, entries) {
            let mut set = set_ones(effects).peekable();
            let replaced = |old: &Attribute| set.next_if(|new| new.name() == old.name()).unwrap_or(old).clone();
            // One allocation, as nothing moves.
            return Attributes::of(entries.iter().map(replaced));
        }
        let kept = entries.iter().filter(|old| self.get(old.name()).is_none());
        kept.chain(set_ones(effects)).cloned().collect()
    }

    /// The attributes that these changes set, for a session that had none before.
    pub(crate) fn into_attributes(self) -> Attributes {
        let set: Vec<Attribute> = match self.effects {
            Effects::Few(few) => few.into_iter().filter_map(Effect::into_attribute).collect(),
            Effects::Many(many) => many.into_values().filter_map(Effect::into_attribute).collect(),
        };
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
        if let Some(change) = &self.device {
            change.apply_to(record);
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

fn set_ones<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> impl Iterator<Item = &'a Attribute> {
    effects.into_iter().filter_map(Effect::attribute)
}

/// Whether all that was set has a name of these, and nothing was removed.
fn only_replace(effects: &[Effect], before: &[Attribute]) -> bool {
    // Both are in the same order.
    let mut before = before.iter();
    effects.iter().all(|effect| effect.attribute().is_some_and(|new| before.any(|old| old.name() == new.name())))
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
