use std::sync::Arc;

use session_axum::{AnyStore, ConfigError, SessionLayer, SessionLayerBuilder, Store};

use crate::options::{AbsoluteTimeout, Options};
use crate::paths::{CONFIRM, SIGN_IN, SIGN_OUT};
use crate::problem;
use crate::site::Site;

/// The session layer of the demo.
pub fn layer(store: AnyStore, options: &Options, site: &Arc<Site>) -> Result<SessionLayer, ConfigError> {
    with_settings(SessionLayer::builder(store), options, site).build()
}

/// Gives a layer the settings of the demo.
pub fn with_settings<S: Store>(
    layer: SessionLayerBuilder<S>,
    options: &Options,
    site: &Arc<Site>,
) -> SessionLayerBuilder<S> {
    let layer = match &site.device_bound {
        Some(device_bound) => layer.device_bound(device_bound.clone()),
        None => layer,
    };
    let site = Arc::clone(site);
    let layer = layer
        .idle_timeout(options.idle_timeout)
        .sign_in_page(SIGN_IN)
        .confirm_page(CONFIRM)
        .never_return_to([SIGN_OUT])
        .fresh_within(options.fresh_within)
        .no_store_when_signed_in()
        .answer_with(move |refused| problem::answer(Arc::clone(&site), refused));
    let layer = match options.absolute_timeout {
        AbsoluteTimeout::After(timeout) => layer.absolute_timeout(timeout),
        AbsoluteTimeout::Off => layer.without_absolute_timeout(),
    };
    if options.allows_http() { layer.allow_http() } else { layer }
}
