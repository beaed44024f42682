//! What requests are answered that are turned away, as settings of the layer's builder.

use std::sync::Arc;
use std::time::Duration;

use axum_core::response::Response;
use session_core::IntoSessionManager;

use crate::layer::SessionLayerBuilder;

use crate::turned_away::Refused;

impl<S: IntoSessionManager> SessionLayerBuilder<S> {
    /// The page to which visitors are led who have to sign in. Default: none, they are answered 401.
    ///
    /// A browser that loads a page is redirected there (303), with the way back in the parameter `next`: the page that it
    /// asked for, or, after a POST, the page with the form. [`ReturnTo`](crate::ReturnTo) reads it. Pages with htmx are
    /// told by `HX-Redirect`. Scripts and programs get 401 with JSON (RFC 9457) in any case.
    ///
    /// Allowed: a path that starts with one `/`, or an address that starts with `https://` or `http://`, which gets no
    /// `next`; in ASCII, without blanks. The handler there must not turn away whom it is for: a warning says so once, and
    /// the visitor is answered 401.
    pub fn sign_in_page(mut self, location: impl Into<String>) -> Self {
        self.answers.sign_in_page = Some(location.into());
        self
    }

    /// The page to which signed-in users are led who have to prove again who they are: see [`Fresh`](crate::Fresh).
    /// Default: none, they are answered 403. The rest is as for [`sign_in_page`](Self::sign_in_page).
    ///
    /// Its handler checks the password, calls [`reauthenticate`](session_core::Session::reauthenticate), and returns
    /// [`ReturnTo::or`](crate::ReturnTo::or).
    pub fn confirm_page(mut self, location: impl Into<String>) -> Self {
        self.answers.confirm_page = Some(location.into());
        self
    }

    /// Paths to which nobody is returned after signing in, such as `/logout`. Default: the sign-in page and the confirm
    /// page, which always count. A path counts however it is written, and whatever its query is.
    pub fn never_return_to(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.answers.never_return_to.extend(paths.into_iter().map(Into::into));
        self
    }

    /// How long an authentication counts for [`Fresh`](crate::Fresh). Default: 10 minutes. At least 1 s.
    ///
    /// ```
    /// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
    /// use std::time::Duration;
    ///
    /// use axum::Router;
    /// use axum::routing::post;
    /// use session_axum::{Fresh, MemoryStore, SessionLayer};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .sign_in_page("/login")
    ///     .confirm_page("/confirm")
    ///     .fresh_within(Duration::from_secs(5 * 60))
    ///     .build()?;
    /// let app = Router::new()
    ///     .route("/account/delete", post(async |user: Fresh| format!("{} is gone", user.principal())))
    ///     .layer(layer);
    /// # Ok(app) }
    /// # example().unwrap();
    /// ```
    pub fn fresh_within(mut self, time: Duration) -> Self {
        self.answers.fresh_within = Some(time);
        self
    }

    /// Answers requests that are turned away: because there is no session, it is not fresh, the store fails, or another
    /// site may have sent them. Default: as [`sign_in_page`](Self::sign_in_page) says. Where the function returns `None`,
    /// the default answers; `|_| None` makes that JSON for scripts, also where saving fails. A status of 500 is a mistake of
    /// the application, and not asked for. The function sees the request's head, of which each request is then made a copy.
    ///
    /// ```
    /// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
    /// use axum::response::{Html, IntoResponse};
    /// use session_axum::{ClientKind, MemoryStore, Refusal, Refused, SessionLayer};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .sign_in_page("/login")
    ///     .answer_with(|refused: &Refused<'_>| match (refused.refusal(), refused.client()) {
    ///         (Refusal::Unavailable, ClientKind::Navigation) => {
    ///             Some((Refusal::Unavailable.status(), Html("<h1>Back in a moment</h1>")).into_response())
    ///         }
    ///         _ => None,
    ///     })
    ///     .build()?;
    /// # Ok(layer) }
    /// ```
    pub fn answer_with(mut self, answer: impl Fn(&Refused<'_>) -> Option<Response> + Send + Sync + 'static) -> Self {
        self.answers.answer_with = Some(Arc::new(answer));
        self
    }
}
