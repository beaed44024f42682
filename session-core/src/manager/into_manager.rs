use crate::error::ConfigError;
use crate::store::Store;

use super::builder::SessionManagerBuilder;
use super::manager::SessionManager;

/// A [`Store`] or a [`SessionManager`]: what a web layer can be made of.
///
/// A store gets a manager of its own. A manager is shared with the rest of the application, and its settings
/// are those it was built with: a layer's builder keeps the [`Builder`](Self::Builder), so that settings of a
/// manager that is already built do not compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a session store nor a `SessionManager`",
    note = "implement `Store` for it, or use `MemoryStore`",
    note = "a `Result` from a builder's `build()` needs a `?` first"
)]
pub trait IntoSessionManager {
    /// A [`SessionManagerBuilder`] for a store, the manager itself for a manager.
    type Builder;

    /// Begins to build the manager of a store; returns a manager as it is.
    fn into_builder(self) -> Self::Builder;

    /// Checks the settings and makes the manager of a layer whose cookie is called `cookie`, without prefix.
    ///
    /// [`ConfigError`] if a setting is not allowed, or the manager is shared and its
    /// [`audience`](SessionManagerBuilder::audience) does not fit the cookie.
    fn build(builder: Self::Builder, cookie: &str) -> Result<SessionManager, ConfigError>;
}

impl<S: Store> IntoSessionManager for S {
    type Builder = SessionManagerBuilder;

    fn into_builder(self) -> SessionManagerBuilder {
        SessionManager::builder(self)
    }

    fn build(builder: SessionManagerBuilder, cookie: &str) -> Result<SessionManager, ConfigError> {
        builder.build_for(cookie)
    }
}

impl IntoSessionManager for SessionManager {
    type Builder = SessionManager;

    fn into_builder(self) -> SessionManager {
        self
    }

    /// Layers that share a manager share its sessions. Where their cookies have different names, that must be meant.
    fn build(manager: SessionManager, cookie: &str) -> Result<SessionManager, ConfigError> {
        if manager.has_audience_of(cookie) {
            return Ok(manager);
        }
        let audience = manager.audience();
        Err(ConfigError::new(format!(
            "the layer's cookie is called `{cookie}`, and its manager opens sessions of the cookie `{audience}`: give the \
             manager the setting `audience`, for example {cookie:?}, if all its layers are to open the same sessions, \
             otherwise give the layer a manager of its own"
        )))
    }
}
