use std::sync::Arc;

use crate::record::Attributes;
use crate::visit::{Changes, Keeping, Kept, Travelling};

/// The session whose attributes a new one is to copy.
pub(super) struct Keep {
    /// Who is signed in there.
    pub(super) principal: Option<Arc<str>>,
    pub(super) attributes: Attributes,
    pub(super) kept: Kept,
    pub(super) travelling: Travelling,
}

impl Keep {
    /// Whether nothing is copied, because another user is signed in and no name was given.
    pub(super) fn is_refused_to(&self, principal: Option<&str>) -> bool {
        let is_another_users = self.principal.is_some() && self.principal.as_deref() != principal;
        is_another_users && matches!(self.travelling, Travelling::All)
    }

    /// The names of what a session of this principal does not get.
    pub(super) fn left_behind(&self, principal: Option<&str>) -> impl Iterator<Item = &str> {
        let is_refused = self.is_refused_to(principal);
        let names = self.attributes.iter().map(|(name, _)| name);
        names.filter(move |name| is_refused || !self.travelling.includes(name))
    }

    /// The attributes of a session of this principal that sets some itself, and what it goes on copying.
    pub(super) fn copied_to(self, principal: Option<&str>, own: Changes) -> (Attributes, Option<Keeping>) {
        if self.is_refused_to(principal) {
            return (own.into_attributes(), None);
        }
        let attributes = own.applied_to(&self.travelling.of(self.attributes));
        (attributes, Some(Keeping { kept: self.kept, travelling: self.travelling, own }))
    }
}
