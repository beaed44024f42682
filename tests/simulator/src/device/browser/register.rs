use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::timeout;

use super::{Binding, Browser, Event};
use crate::device::message::{Offer, PROOF, Request};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

impl Browser {
    /// Registers a new key. Where that fails, nothing has changed, and it is not tried again.
    pub(super) async fn register(self: Arc<Self>, offer: Offer) {
        let key = self.state.lock().new_key();
        let request = Request::new(Method::POST, offer.path.clone()).with(PROOF, &key.registration(&offer.challenge));
        let Ok(Ok(response)) = timeout(PATIENCE, self.send(self.with_cookies(request))).await else { return };
        self.take(&response, false);
        if !(200..300).contains(&response.status) {
            return;
        }
        if let Ok(mut binding) = Binding::read(&response.body, &offer.path, key) {
            binding.challenge = response.challenge_for(&binding.identifier);
            self.state.lock().bind(binding);
            self.outside.learns(Event::Registered(key.number));
        }
    }
}
