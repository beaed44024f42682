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

    /// Checks the settings and makes the manager. [`ConfigError`] if a setting is not allowed.
    fn build(builder: Self::Builder) -> Result<SessionManager, ConfigError>;
}

impl<S: Store> IntoSessionManager for S {
    type Builder = SessionManagerBuilder;

    fn into_builder(self) -> SessionManagerBuilder {
        SessionManager::builder(self)
    }

    fn build(builder: SessionManagerBuilder) -> Result<SessionManager, ConfigError> {
        builder.build()
    }
}

impl IntoSessionManager for SessionManager {
    type Builder = SessionManager;

    fn into_builder(self) -> SessionManager {
        self
    }

    fn build(manager: SessionManager) -> Result<SessionManager, ConfigError> {
        Ok(manager)
    }
}
