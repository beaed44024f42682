use std::fmt;

use http::StatusCode;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The visitor has no session.
    NoSession,
    /// The visitor has a session, and nobody is signed in there.
    NotSignedIn,
    /// The session ended while the handler ran.
    Ended,
    /// The same, where [`lost_changes_status`](crate::SessionLayerBuilder::lost_changes_status) is 409.
    ChangesLost,
    /// The user has not proven who they are for too long: see [`Fresh`](crate::Fresh).
    NotFresh,
    /// The session got a new id, and the request came with the old one, which can't do this. The client's next request
    /// comes with the new one.
    OldId,
    /// Another site may have sent the request.
    CrossSite,
    /// Sessions can't be loaded or saved at the moment.
    Unavailable,
}

impl Refusal {
    /// The status of the response, unless it leads to another page.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::NoSession | Refusal::NotSignedIn | Refusal::Ended => StatusCode::UNAUTHORIZED,
            Refusal::NotFresh | Refusal::CrossSite => StatusCode::FORBIDDEN,
            Refusal::OldId | Refusal::ChangesLost => StatusCode::CONFLICT,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A word for programs: the member `reason` of a JSON answer.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NoSession => "no_session",
            Refusal::NotSignedIn => "not_signed_in",
            Refusal::Ended => "session_ended",
            Refusal::ChangesLost => "changes_lost",
            Refusal::NotFresh => "not_fresh",
            Refusal::OldId => "old_id",
            Refusal::CrossSite => "cross_site",
            Refusal::Unavailable => "unavailable",
        }
    }

    /// A sentence for the visitor.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::NoSession | Refusal::NotSignedIn => "Please sign in.",
            Refusal::Ended => "Your session has ended.",
            Refusal::ChangesLost => "Your session has ended, and your changes were not saved.",
            Refusal::NotFresh => "Please confirm that it is you.",
            Refusal::OldId => "Your session was renewed while this was sent. Please try again.",
            Refusal::CrossSite => "This form has expired, or was sent from another site. Please load the page again.",
            Refusal::Unavailable => "Sessions are not available at the moment. Please try again.",
        }
    }

    /// Whether signing in would help.
    pub(super) fn needs_sign_in(self) -> bool {
        self.status() == StatusCode::UNAUTHORIZED
    }
}

/// For the log.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NoSession => "no session",
            Refusal::NotSignedIn => "nobody is signed in",
            Refusal::Ended => "the session has ended",
            Refusal::ChangesLost => "changes were lost because the session has ended",
            Refusal::NotFresh => "the last authentication is too old",
            Refusal::OldId => "the request came with an id that was replaced",
            Refusal::CrossSite => "another site may have sent the request",
            Refusal::Unavailable => "sessions are not available",
        })
    }
}
