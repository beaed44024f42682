use std::sync::Arc;

use super::body::Body;
use super::envelope::Envelope;
use super::invalid::CodecError;
use super::salvage::salvage;

/// Turns the [`Body`] of a record into bytes and back, for stores that keep bytes.
///
/// The default is [`JsonCodec`]. Each store of the crate `session-stores` takes another one by its method
/// `with_codec`.
///
/// ```
/// use session_core::{Body, Codec, CodecError, Envelope};
///
/// /// JSON with line breaks, for whoever reads it in the database.
/// struct PrettyJson;
///
/// impl Codec for PrettyJson {
///     fn encode(&self, body: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
///         serde_json::to_vec_pretty(body).map_err(CodecError::encode)
///     }
///
///     fn decode(&self, bytes: &[u8], _: &Envelope) -> Result<Body, CodecError> {
///         serde_json::from_slice(bytes).map_err(CodecError::decode)
///     }
/// }
/// ```
pub trait Codec: Send + Sync + 'static {
    /// Turns a body into bytes. The envelope, whose own `body` is not complete yet, is for codecs that authenticate
    /// it together with the body: see [`Envelope::authenticated_part`].
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError>;

    /// Turns bytes back into a body. It must fail for bytes that this codec did not write, or that are cut or
    /// changed. The record then counts as missing.
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

/// Writes bodies as JSON. This is the default codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonCodec;

impl Codec for JsonCodec {
    fn encode(&self, body: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(body).map_err(CodecError::encode)
    }

    /// An attribute or constant that can't be read, such as one that another program wrote, is dropped with a
    /// warning: it does not cost the session.
    fn decode(&self, bytes: &[u8], _: &Envelope) -> Result<Body, CodecError> {
        serde_json::from_slice(bytes).or_else(|error| salvage(bytes).ok_or(error)).map_err(CodecError::decode)
    }
}
