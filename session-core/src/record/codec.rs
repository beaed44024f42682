use std::error::Error as StdError;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{Attributes, Envelope};

/// The part of a record that stores don't read: who is signed in, and the values.
///
/// A codec that decodes it by hand starts with `Body::default()` and sets the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Body {
    /// Who is signed in.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Arc<str>>,
    /// Attributes given at the start.
    #[serde(rename = "c", default, skip_serializing_if = "Attributes::is_empty")]
    pub constants: Attributes,
    /// Attributes that change.
    #[serde(rename = "a", default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// Fields that a later release added. A codec keeps them as they are.
    #[serde(rename = "x", default, skip_serializing_if = "Attributes::is_empty")]
    pub extensions: Attributes,
}

/// Turns bodies into bytes and back, for stores that keep bytes.
pub trait Codec: Send + Sync + 'static {
    /// The body as bytes. The envelope, whose own `body` is still empty, is for binding the
    /// bytes to it.
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError>;

    /// The body in these bytes. Anything that is not this codec's, whole and unaltered, is an
    /// error: the record is then dropped.
    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError>;
}

impl<C: Codec + ?Sized> Codec for Arc<C> {
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError> {
        (**self).encode(body, envelope)
    }
    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
        (**self).decode(bytes, envelope)
    }
}

/// A body could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[error("the body of a record could not be {action}")]
pub struct CodecError {
    action: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

impl CodecError {
    /// A body that has no form in this codec.
    pub fn encode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "encoded", source: source.into() }
    }

    /// Bytes that are no body of this codec.
    pub fn decode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "decoded", source: source.into() }
    }
}

/// Bodies as JSON: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonCodec;

impl Codec for JsonCodec {
    fn encode(&self, body: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(body).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: &[u8], _: &Envelope) -> Result<Body, CodecError> {
        serde_json::from_slice(bytes).map_err(CodecError::decode)
    }
}
