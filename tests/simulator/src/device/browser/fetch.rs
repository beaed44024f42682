use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::COOKIE;

use super::refresh::{Outcome, Refreshing};
use super::{Browser, Ending, Event, State};
use crate::device::message::{Closed, Request, Response, SKIPPED};

/// With less than this left of the bound cookie, it is refreshed beside a request that does not wait.
const EARLY: Duration = Duration::from_secs(120);

/// How often a request is sent whose connection was closed, and had been used before.
const TRIES: usize = 3;

/// A request that a page or its user wants.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The request, without cookies.
    pub request: Request,
    /// Who has started it.
    pub started: Started,
}

/// Who has started a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Our own page.
    Here,
    /// A navigation that another origin has started, as by a link in a mail.
    Elsewhere,
    /// Our own page, without cookies.
    WithoutCredentials,
}

/// What a request needs before it is sent.
enum Need {
    Nothing,
    Refresh(Refreshing),
    /// A refresh, which has failed too often.
    BackOff,
}

impl Browser {
    /// Sends a request, and follows where the response leads. It is held while the bound cookie is refreshed, if it needs
    /// that. The cookies of responses are kept.
    pub async fn fetch(self: &Arc<Self>, mut sending: Sending) -> Result<Response, Closed> {
        loop {
            let response = self.fetch_once(sending.clone()).await?;
            let Some(location) = response.leads_to() else { return Ok(response) };
            sending.request = Request::new(Method::GET, location);
        }
    }

    async fn fetch_once(self: &Arc<Self>, sending: Sending) -> Result<Response, Closed> {
        let skipped = self.hold(&sending).await;
        let mut request = sending.request;
        if let Some(skipped) = skipped {
            request = request.with(SKIPPED, &skipped);
        }
        if sending.started != Started::WithoutCredentials {
            request = self.with_cookies(request);
        }
        let response = self.send(request).await?;
        if sending.started != Started::WithoutCredentials {
            self.take(&response, true);
        }
        Ok(response)
    }

    pub(super) fn with_cookies(&self, request: Request) -> Request {
        match self.state.lock().jar.header() {
            Some(cookies) => request.with(COOKIE, &cookies),
            None => request,
        }
    }

    /// Sends a request, again where its connection may have been idle for too long.
    pub(super) async fn send(&self, request: Request) -> Result<Response, Closed> {
        for _ in 1..TRIES {
            match self.outside.send(request.clone()).await {
                Err(Closed { was_reused: true }) => {}
                answer => return answer,
            }
        }
        self.outside.send(request).await
    }

    /// Waits for a refresh, where the request needs it. Returns what the server is told if it failed.
    async fn hold(self: &Arc<Self>, sending: &Sending) -> Option<String> {
        let outcome = match self.need(sending) {
            Need::Nothing => return None,
            Need::BackOff => Outcome::Unreachable,
            Need::Refresh(refreshing) => refreshing.outcome().await,
        };
        // The request is looked at again, and not held again.
        let state = self.state.lock();
        let binding = state.binding.as_ref().filter(|binding| binding.time_left(&state.jar).is_zero())?;
        Some(format!("{};session_identifier=\"{}\"", outcome.reason()?, binding.identifier))
    }

    fn need(self: &Arc<Self>, sending: &Sending) -> Need {
        let mut state = self.state.lock();
        let Some(binding) = &state.binding else { return Need::Nothing };
        if sending.started != Started::Here || !binding.includes(sending.request.route()) {
            return Need::Nothing;
        }
        let time_left = binding.time_left(&state.jar);
        if time_left.is_zero() {
            return match &state.refreshing {
                Some(refreshing) => Need::Refresh(refreshing.clone()),
                None if !state.may_refresh() => Need::BackOff,
                None => Need::Refresh(self.begin_refresh(&mut state, false)),
            };
        }
        let may_be_early = state.refreshing.is_none() && state.may_refresh() && !state.failures.of_early_refresh;
        if time_left <= EARLY && may_be_early {
            self.begin_refresh(&mut state, true);
        }
        Need::Nothing
    }

    /// Takes what a response brings beside its body. What the browser has asked for by itself clears nothing.
    pub(super) fn take(self: &Arc<Self>, response: &Response, may_clear: bool) {
        let mut state = self.state.lock();
        for challenge in response.challenges() {
            state.take_challenge(challenge.identifier.as_deref(), challenge.text);
        }
        let clears_cookies = may_clear && response.clears(&["cookies", "*"]);
        if clears_cookies {
            state.jar.clear();
        } else {
            response.lines(http::header::SET_COOKIE).for_each(|line| state.jar.keep(line));
        }
        let clears_storage = may_clear && response.clears(&["storage"]);
        let ended = if clears_cookies || clears_storage { state.binding.take() } else { None };
        drop(state);
        if let Some(ended) = ended {
            let key = ended.key.number;
            self.outside.learns(Event::Ended { live: key, asked: key, ending: Ending::SiteDataCleared });
        }
        if let Some(offer) = response.offer() {
            tokio::spawn(Arc::clone(self).register(offer));
        }
    }
}

impl State {
    /// A challenge for another session, or for none, is left alone.
    fn take_challenge(&mut self, identifier: Option<&str>, challenge: String) {
        if let Some(binding) = self.binding.as_mut().filter(|binding| Some(binding.identifier.as_str()) == identifier) {
            binding.challenge = Some(challenge);
        }
    }
}
