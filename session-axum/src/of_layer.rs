use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use axum_core::extract::FromRequestParts;
use http::Extensions;
use http::request::Parts;

use crate::error::SessionError;
use crate::slot::Slot;

/// An extractor of this crate for another session layer than the innermost: the one that was
/// [marked](crate::SessionLayerBuilder::marked) with the type `M`.
///
/// `E` is [`Session`](crate::Session), `Option<Session>`, [`MaybeSession`](crate::MaybeSession) or
/// [`EndSession`](crate::EndSession), to which this derefs. A handler can so have the sessions of several layers. Of several
/// layers with one marker the innermost counts. Where no layer around the route has the marker, the rejection is
/// [`SessionError::NoMarkedLayer`].
///
/// ```
/// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
/// use axum::{Router, routing::get};
/// use session_axum::{MemoryStore, OfLayer, Session, SessionCookie, SessionLayer};
///
/// /// Marks the layer of the staff's sessions.
/// struct Staff;
///
/// async fn home(visitor: Option<Session>, staff: OfLayer<Staff, Session>) -> String {
///     format!("{:?} is looked after by {:?}", visitor.and_then(|sess| sess.principal()), staff.principal())
/// }
///
/// let staff = SessionCookie::new().name("staff");
/// let staff = SessionLayer::builder(MemoryStore::new()).cookie(staff).marked::<Staff>().build()?;
/// let app = Router::new().route("/", get(home)).layer(SessionLayer::new(MemoryStore::new())).layer(staff);
/// # Ok(app) }
/// ```
pub struct OfLayer<M, E> {
    extracted: E,
    marker: PhantomData<fn() -> M>,
}

impl<M, E> OfLayer<M, E> {
    /// What was extracted.
    pub fn into_inner(self) -> E {
        self.extracted
    }
}

impl<M, E> Deref for OfLayer<M, E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.extracted
    }
}

impl<M, E> DerefMut for OfLayer<M, E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.extracted
    }
}

impl<M, E: Clone> Clone for OfLayer<M, E> {
    fn clone(&self) -> Self {
        OfLayer { extracted: self.extracted.clone(), marker: PhantomData }
    }
}

impl<M, E: fmt::Debug> fmt::Debug for OfLayer<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OfLayer").field(&self.extracted).finish()
    }
}

/// In the extensions of a request: the slot of the innermost layer with this marker.
pub(crate) struct Marked<M>(Slot, PhantomData<fn() -> M>);

impl<M> Clone for Marked<M> {
    fn clone(&self) -> Self {
        Marked(self.0.clone(), PhantomData)
    }
}

impl<M: 'static> Marked<M> {
    /// Marks the innermost slot, which the layer has just put there, or another that counts as the same.
    pub(crate) fn put(extensions: &mut Extensions) {
        if let Some(slot) = extensions.get::<Slot>().cloned() {
            extensions.insert(Marked::<M>(slot, PhantomData));
        }
    }
}

/// A request whose innermost layer is another one, as long as this lives.
struct Exchanged<'a> {
    parts: &'a mut Parts,
    innermost: Option<Slot>,
}

impl<'a> Exchanged<'a> {
    fn put(slot: Slot, parts: &'a mut Parts) -> Self {
        let innermost = parts.extensions.insert(slot);
        Exchanged { parts, innermost }
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        if let Some(innermost) = self.innermost.take() {
            self.parts.extensions.insert(innermost);
        }
    }
}

impl<S, M, E> FromRequestParts<S> for OfLayer<M, E>
where
    S: Send + Sync,
    M: 'static,
    E: FromRequestParts<S, Rejection = SessionError>,
{
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        let marked = parts.extensions.get::<Marked<M>>().cloned();
        let Marked(slot, _) = marked.ok_or(SessionError::NoMarkedLayer(type_name::<M>()))?;
        let exchanged = Exchanged::put(slot, parts);
        let extracted = E::from_request_parts(exchanged.parts, state).await?;
        Ok(OfLayer { extracted, marker: PhantomData })
    }
}
