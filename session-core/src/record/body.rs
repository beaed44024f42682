use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::audience::Audience;

/// The part of a record that stores do not read: the principal, the audience and all values.
///
/// A codec that decodes it field by field starts with `Body::default()` and sets the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Body {
    /// The id or name of the user who is signed in. `None` for an anonymous session.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Arc<str>>,
    /// The application to which the session belongs.
    #[serde(rename = "aud", default, skip_serializing_if = "Audience::is_default")]
    pub audience: Audience,
    /// Attributes that were given when the session was started, and never change.
    #[serde(rename = "c", default, skip_serializing_if = "Attributes::is_empty")]
    pub constants: Attributes,
    /// Attributes that change.
    #[serde(rename = "a", default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// Named fields of a later release. A codec writes and reads them like attributes.
    #[serde(rename = "x", default, skip_serializing_if = "Attributes::is_empty")]
    pub extensions: Attributes,
    /// The names of attributes and constants that the codec could not read, and left out.
    #[serde(skip)]
    pub(super) unreadable: Vec<String>,
}
