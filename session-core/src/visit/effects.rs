use std::collections::BTreeMap;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::record::Attribute;

/// The last effect on one attribute.
#[derive(Clone)]
pub(super) enum Effect {
    Set(Attribute),
    Removed(SmolStr),
}

impl Effect {
    pub(super) fn name(&self) -> &str {
        match self {
            Effect::Set(new) => new.name(),
            Effect::Removed(name) => name,
        }
    }

    /// The attribute as it was set, unless it was removed.
    pub(super) fn attribute(&self) -> Option<&Attribute> {
        match self {
            Effect::Set(new) => Some(new),
            Effect::Removed(_) => None,
        }
    }

    pub(super) fn into_attribute(self) -> Option<Attribute> {
        match self {
            Effect::Set(new) => Some(new),
            Effect::Removed(_) => None,
        }
    }
}

/// Effects on different attributes, in order of their names.
#[derive(Clone)]
pub(super) enum Effects {
    /// Most requests change one attribute at most, which then takes no memory of its own.
    Few(SmallVec<[Effect; 1]>),
    /// From here on, moving the later ones at each insertion would take longer than a tree.
    Many(BTreeMap<SmolStr, Effect>),
}

const FEW: usize = 64;

impl Default for Effects {
    fn default() -> Self {
        Effects::Few(SmallVec::new())
    }
}

impl Effects {
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Effects::Few(few) => few.is_empty(),
            Effects::Many(_) => false,
        }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        match self {
            Effects::Few(few) => few.clear(),
            Effects::Many(_) => *self = Effects::default(),
        }
    }

    pub(super) fn put(&mut self, effect: Effect) {
        match self {
            Effects::Few(few) => match position(few, effect.name()) {
                Ok(at) => few[at] = effect,
                Err(at) if few.len() < FEW => few.insert(at, effect),
                Err(_) => *self = Effects::Many(few.drain(..).chain([effect]).map(by_name).collect()),
            },
            Effects::Many(many) => {
                let (name, effect) = by_name(effect);
                many.insert(name, effect);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Effect> {
        match self {
            Effects::Few(few) => position(few, name).ok().map(|at| &few[at]),
            Effects::Many(many) => many.get(name),
        }
    }

    pub(super) fn last(&self) -> Option<&Effect> {
        match self {
            Effects::Few(few) => few.last(),
            Effects::Many(many) => many.last_key_value().map(|(_, effect)| effect),
        }
    }

    /// Tells each of them, in order.
    pub(super) fn for_each(&self, tell: impl FnMut(&Effect)) {
        match self {
            Effects::Few(few) => few.iter().for_each(tell),
            Effects::Many(many) => many.values().for_each(tell),
        }
    }

    /// Gives each of them away, in order.
    pub(super) fn into_each(self, take: impl FnMut(Effect)) {
        match self {
            Effects::Few(few) => few.into_iter().for_each(take),
            Effects::Many(many) => many.into_values().for_each(take),
        }
    }
}

fn position(few: &[Effect], name: &str) -> Result<usize, usize> {
    few.binary_search_by(|effect| effect.name().cmp(name))
}

fn by_name(effect: Effect) -> (SmolStr, Effect) {
    (SmolStr::new(effect.name()), effect)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way from a list to a tree keeps what the list had, and the order.
    #[test]
    fn many_effects_are_kept_like_few() {
        let mut effects = Effects::default();
        let mut expected = BTreeMap::new();
        for n in 0..3 * FEW {
            let name = format!("n{}", n * 7 % (2 * FEW));
            let value = (n % 3 > 0).then_some(n);
            effects.put(match value {
                Some(value) => Effect::Set(Attribute::new(&name, &value).unwrap()),
                None => Effect::Removed(SmolStr::new(&name)),
            });
            expected.insert(name, value);
            let found = |effect: &Effect| effect.attribute().map(|new| new.value().clone());
            let mut all = Vec::new();
            effects.for_each(|effect| all.push((effect.name().to_owned(), found(effect))));
            let expected = || expected.iter().map(|(name, value)| (name.clone(), value.map(Into::into)));
            assert!(expected().eq(all), "{n}");
            assert!(expected().all(|(name, value)| effects.get(&name).map(found) == Some(value)), "{n}");
            assert_eq!(effects.last().map(Effect::name), expected().next_back().as_ref().map(|(name, _)| &name[..]));
        }
        effects.clear();
        assert!(effects.is_empty());
    }
}
