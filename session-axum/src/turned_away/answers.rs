use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use session_core::ConfigError;

use crate::http_headers::NO_STORE;

use super::asked::{Asked, ClientKind, Refused, Unanswered};
use super::page::Page;
use super::refusal::Refusal;
use super::way_back::{NeverReturnTo, is_own_path, way_back};

type AnswerWith = Arc<dyn Fn(&Refused<'_>) -> Option<Response> + Send + Sync>;

/// What the application says about requests that are turned away.
#[derive(Clone, Default)]
pub(crate) struct AskedAnswers {
    pub(crate) sign_in_page: Option<String>,
    pub(crate) confirm_page: Option<String>,
    pub(crate) never_return_to: Vec<String>,
    pub(crate) fresh_within: Option<Duration>,
    pub(crate) answer_with: Option<AnswerWith>,
}

/// The same, checked.
pub(crate) struct Answers {
    sign_in_page: Option<Page>,
    confirm_page: Option<Page>,
    never: NeverReturnTo,
    pub(crate) fresh_within: Duration,
    answer_with: Option<AnswerWith>,
}

/// How long an authentication counts where nothing else is said.
const FRESH_WITHIN: Duration = Duration::from_secs(10 * 60);

impl AskedAnswers {
    pub(crate) fn checked(self) -> Result<Answers, ConfigError> {
        let sign_in_page = self.sign_in_page.as_deref().map(Page::sign_in).transpose()?;
        let confirm_page = self.confirm_page.as_deref().map(Page::confirm).transpose()?;
        if let Some(path) = self.never_return_to.iter().find(|path| !path.starts_with('/')) {
            return Err(ConfigError::new(format!(
                "`never_return_to` can't have {path:?}; give paths that begin with `/`, such as `/logout`"
            )));
        }
        // Whoever is there already was just led there.
        let own = [&sign_in_page, &confirm_page].into_iter().flatten().filter_map(Page::path);
        let never = NeverReturnTo::new(own.chain(self.never_return_to.iter().map(String::as_str)));
        let fresh_within = self.fresh_within.unwrap_or(FRESH_WITHIN);
        if fresh_within < Duration::from_secs(1) {
            return Err(ConfigError::new(format!(
                "`fresh_within` is {fresh_within:?}, so nobody would ever be fresh; give at least 1 s"
            )));
        }
        Ok(Answers { sign_in_page, confirm_page, never, fresh_within, answer_with: self.answer_with })
    }
}

impl Answers {
    /// Whether a visitor may be returned to this path.
    pub(crate) fn may_return_to(&self, path: &str) -> bool {
        is_own_path(path) && self.never.allows(path)
    }

    /// Whether the head of each request is to be kept, because an answer may depend on it that no extractor makes.
    pub(crate) fn need_requests(&self) -> bool {
        self.sign_in_page.is_some() || self.confirm_page.is_some() || self.answer_with.is_some()
    }

    /// Whether the application may make answers itself.
    pub(crate) fn are_own(&self) -> bool {
        self.answer_with.is_some()
    }

    /// Makes the answer to a request that was turned away, if the response says that it was.
    pub(crate) fn improve(&self, response: &mut Response, kept: Option<&Asked>) {
        let Some(Unanswered { refusal, asked }) = response.extensions_mut().remove() else { return };
        // With another status, the handler has made an answer of its own.
        let Some(asked) = asked.as_deref().or(kept).filter(|_| response.status() == refusal.status()) else { return };
        let before = std::mem::replace(response, self.answer(refusal, asked)).into_parts().0;
        response.extensions_mut().extend(before.extensions);
        let is_of_body = |name: &HeaderName| matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH);
        for name in before.headers.keys().filter(|name| !is_of_body(name)) {
            if !response.headers().contains_key(name) {
                let values = before.headers.get_all(name).iter().cloned();
                values.for_each(|value| _ = response.headers_mut().append(name, value));
            }
        }
    }

    fn answer(&self, refusal: Refusal, asked: &Asked) -> Response {
        let refused = Refused::new(refusal, asked);
        let own = self.answer_with.as_ref().and_then(|answer_with| answer_with(&refused));
        own.unwrap_or_else(|| self.built_in(refusal, asked))
    }

    fn built_in(&self, refusal: Refusal, asked: &Asked) -> Response {
        let page = match refusal {
            Refusal::NotFresh => self.confirm_page.as_ref(),
            refusal if refusal.needs_sign_in() => self.sign_in_page.as_ref(),
            _ => None,
        };
        let is_circle = page.is_some_and(|page| page.leads_to(asked));
        if let Some(page) = page.filter(|_| is_circle) {
            page.warn_of_circle();
        }
        let led = page.filter(|_| !is_circle).map(|page| page.location(way_back(asked, &self.never).as_deref()));
        let mut response = match (asked.kind(), led) {
            (ClientKind::Navigation, Some(location)) => {
                // 303, so that what was sent is not sent to that page.
                (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
            }
            (ClientKind::Navigation, None) => (refusal.status(), refusal.text()).into_response(),
            (ClientKind::Htmx, Some(location)) => {
                (refusal.status(), [(HeaderName::from_static("hx-redirect"), location)], refusal.text()).into_response()
            }
            (ClientKind::Htmx, None) => (refusal.status(), refusal.text()).into_response(),
            (ClientKind::Script, _) => problem(refusal),
        };
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        response
    }
}

/// The JSON of RFC 9457.
fn problem(refusal: Refusal) -> Response {
    let status = refusal.status();
    // No text has a character that JSON escapes.
    let body = format!(
        r#"{{"type":"about:blank","title":"{}","status":{},"detail":"{}","reason":"{}"}}"#,
        status.canonical_reason().unwrap_or_default(),
        status.as_u16(),
        refusal.text(),
        refusal.code()
    );
    let json = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, json)], body).into_response()
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("sign_in_page", &self.sign_in_page).finish_non_exhaustive()
    }
}
