use std::sync::Arc;

use http::HeaderValue;
use session_core::SessionManager;
use session_core::internals::{Environment, Host};

use crate::redirect::Redirect;
use crate::transport::Transport;

/// The settings that a layer, its service and its extractors share.
pub(crate) struct Settings {
    pub(crate) manager: SessionManager,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) vary: HeaderValue,
    pub(crate) redirect: Option<Arc<Redirect>>,
}

impl Host for Settings {
    fn environment(&self) -> &Environment {
        self.manager.environment()
    }
}

impl Settings {
    /// Whether layers with these two settings count as one layer.
    pub(crate) fn is_same(&self, other: &Settings) -> bool {
        self.manager.is_same(&other.manager) && self.transport.name() == other.transport.name()
    }
}
