//! A session at rest: [`Record`], its key and values, and its form as bytes ([`Envelope`], [`Codec`]).
//!
//! This room may know ids, times, random bytes and errors. It may not know stores, nor what a request does to a
//! session.

mod adopted;
mod attribute;
mod attributes;
mod attributes_version;
mod audience;
mod authenticated;
mod body;
mod by_bearer;
mod codec;
#[cfg(feature = "encryption")]
mod encryption;
mod envelope;
mod form_secret;
mod format;
mod invalid;
mod key;
mod principal_key;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod record;
mod renewal;
mod salvage;
mod sealing;
mod size;
mod value;
mod version;

pub(crate) use adopted::Adopted;
pub(crate) use attribute::Attribute;
pub use attributes::Attributes;
pub(crate) use attributes_version::{attributes_version, note_attributes_version};
pub use audience::Audience;
pub(crate) use authenticated::Authenticated;
pub use body::Body;
pub(crate) use by_bearer::{is_by_bearer, note_by_bearer};
pub use codec::{Codec, JsonCodec};
#[cfg(feature = "encryption")]
pub use encryption::EncryptedCodec;
pub use envelope::Envelope;
pub(crate) use form_secret::FormSecret;
pub use format::RecordFormat;
pub use invalid::{CodecError, DroppedRecords, InvalidRecord};
pub use key::{InvalidRecordKey, RecordKey};
pub use principal_key::PrincipalKey;
#[cfg(test)]
pub(crate) use record::sample;
pub use record::{LONGEST_COOKIE, Record};
pub(crate) use record::{cookie_trigger, touch_interval_ms};
pub(crate) use renewal::{Renewal, Standing};
pub(crate) use size::{Size, exceeds_limit, json_bytes_above};
pub use value::MAX_SESSION_BYTES;
pub(crate) use value::read;
pub use version::Version;
