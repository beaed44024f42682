use crate::error::ConfigError;
use crate::store::Store;

use super::builder::SessionManagerBuilder;
use super::manager::SessionManager;

/// What a web layer can be made for: a [`Store`], which gets a manager of its own, or a
/// [`SessionManager`] that others share.
///
/// A layer's builder keeps the [`Builder`](Self::Builder), so that settings of the manager can be given
/// only where it is not built yet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a session store nor a `SessionManager`",
    note = "implement `Store` for it, or use `MemoryStore`",
    note = "a `Result` from a builder's `build()` needs a `?` first"
)]
pub trait IntoSessionManager {
    /// A [`SessionManagerBuilder`] for a store; for a manager the manager itself, which has its settings.
    type Builder;

    /// Begins to build the manager.
    fn into_builder(self) -> Self::Builder;

    /// The manager, if its settings can work.
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
