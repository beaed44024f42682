use http::Response;
use session_core::{Committed, Visit};

/// What a response did to the visitor's session, as the layer noted it.
///
/// It tells nothing of attributes: read those from the session. It shows no id, so it may be printed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_axum::SessionError> {
/// use axum::{Router, routing::post};
/// use session_axum::testing::{SessionEffect, TestSessions};
/// use session_axum::{EndSession, NewSession};
///
/// let sessions = TestSessions::new();
/// let layer = sessions.layer().build()?;
/// let app = Router::new().route("/logout", post(async |ending: EndSession| ending.end())).layer(layer.clone());
///
/// let mut ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await.client(app);
/// let response = ann.post("/logout").await;
/// assert_eq!(SessionEffect::of(&response), SessionEffect::Ended);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEffect {
    /// The visitor has the same session as before, under the same id, or none as before. Attributes may have changed.
    Nothing,
    /// A session was started and is stored: a login, or a stranger's first attribute. It may have replaced another one.
    Started,
    /// The visitor was told the id of a session that was taken over from another library:
    /// [`Adoption`](crate::Adoption).
    Adopted,
    /// The session has a new id.
    Renewed,
    /// The session has ended, and the client is told to forget its id.
    Ended,
}

/// In the extensions of a response: the effects of the layers around its handler, from the innermost to the outermost,
/// each with the name of its transport.
#[derive(Clone, Default)]
struct Effects(Vec<(Box<str>, SessionEffect)>);

impl SessionEffect {
    /// What a response did. Where several layers are stacked, the innermost that did something counts.
    ///
    /// The layer notes it in the extensions of the response. A response that came over a network has none, nor has one that
    /// a layer outside has replaced: this is [`Nothing`](SessionEffect::Nothing) then. Compare
    /// [`counters`](session_core::SessionManager::counters) before and after there.
    pub fn of<B>(response: &Response<B>) -> SessionEffect {
        effects(response).first().map_or(SessionEffect::Nothing, |(_, effect)| *effect)
    }

    /// What a response did to the session whose layer has a transport of this name.
    pub(crate) fn of_transport<B>(response: &Response<B>, name: &str) -> SessionEffect {
        effects(response).iter().find(|(of, _)| **of == *name).map_or(SessionEffect::Nothing, |(_, effect)| *effect)
    }
}

fn effects<B>(response: &Response<B>) -> &[(Box<str>, SessionEffect)] {
    response.extensions().get::<Effects>().map_or(&[], |effects| &effects.0)
}

/// Notes in a response what a visit did.
pub(crate) fn note<B>(
    response: &mut Response<B>,
    transport: &str,
    visit: &Visit,
    committed: &Committed,
    has_adopted: bool,
) {
    let effect = match committed {
        Committed::Issue(_) if visit.has_started() => SessionEffect::Started,
        Committed::Issue(_) if has_adopted => SessionEffect::Adopted,
        Committed::Issue(_) if visit.has_renewed() => SessionEffect::Renewed,
        Committed::Forget => SessionEffect::Ended,
        // Also an id that is only told again, such as a cookie with another lifetime.
        Committed::Issue(_) | Committed::Unchanged => return,
    };
    response.extensions_mut().get_or_insert_default::<Effects>().0.push((transport.into(), effect));
}
