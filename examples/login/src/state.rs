//! What handlers share.

use session_axum::SessionManager;

use crate::attempts::Attempts;
use crate::users::Users;

/// The state of the application. A clone is the same.
#[derive(Clone)]
pub struct App {
    pub users: Users,
    pub attempts: Attempts,
    pub sessions: SessionManager,
}
