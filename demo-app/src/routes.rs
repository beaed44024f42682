use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Redirect;
use axum::routing::{get, post};
use session_axum::{
    ConfigError, CrossOriginProtection, DeviceBound, NoUse, PurgeService, SessionLayer, SessionManager,
};

use crate::access::{AdminToken, require_token};
use crate::page::{protect, style};
use crate::pages::{admin, confirm, demo, devices, session_json, settings, shop, sign_in, sign_out};
use crate::paths;
use crate::problem::{method_not_allowed, not_found};
use crate::site::{App, Site};

/// How large a form may be. A form of the demo is far smaller.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// All routes: those of visitors, and with an admin token those of an administrator.
pub fn all(sessions: SessionLayer, site: Arc<Site>, token: Option<AdminToken>) -> Result<Router, ConfigError> {
    let manager = sessions.manager().clone();
    let protection = CrossOriginProtection::new();
    // The routes of an administrator are in no session layer that would know.
    let protection = if site.allows_http { protection.allow_http() } else { protection };

    let visitors = for_everybody().route_layer(protection.clone());
    let users = for_users().route_layer(protection.clone().require_token());
    // The fallback comes after the session layer, which so sees these requests of browsers by routes alone.
    let bindings = site.device_bound.as_ref().map(DeviceBound::routes).unwrap_or_default();
    let mut routes = visitors.merge(users).merge(bindings).layer(sessions).route(paths::STYLE, get(style));
    if let Some(token) = token {
        routes = routes.merge(for_administrators(protection, &manager, token)?);
    }
    Ok(routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(App { site, sessions: manager })
        .layer(map_response(protect))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES)))
}

/// What strangers and programs use. A form is taken with its fields alone, unless a browser says that another site sends
/// it. None has a token, because a token starts a session, and whoever only looks is to leave nothing.
fn for_everybody() -> Router<App> {
    Router::new()
        .route("/", get(|| async { Redirect::to(paths::DEMO) }))
        .route(paths::DEMO, get(demo::show).post(demo::submit))
        .route(paths::SHOP, get(shop::show))
        .route(paths::ADD, post(shop::add))
        .route(paths::REMOVE, post(shop::remove))
        .route(paths::ORDER, post(shop::order))
}

/// What is about a login. Each form has a token of its visitor's session, for browsers from before 2020.
fn for_users() -> Router<App> {
    Router::new()
        .route(paths::SIGN_IN, get(sign_in::show).post(sign_in::submit))
        .route(paths::SIGN_OUT, post(sign_out::submit))
        .route(paths::DEVICES, get(devices::list))
        .route(paths::END_DEVICE, post(devices::end))
        .route(paths::END_OTHER_DEVICES, post(devices::end_others))
        .route(paths::SETTINGS, get(settings::show).post(settings::submit))
        .route(paths::CONFIRM, get(confirm::show).post(confirm::submit))
        // A script may ask again and again, and keeps nobody signed in.
        .route(paths::SESSION_JSON, get(session_json::show).layer(NoUse))
}

/// What needs the token of an administrator, and no session.
fn for_administrators(
    protection: CrossOriginProtection,
    sessions: &SessionManager,
    token: AdminToken,
) -> Result<Router<App>, ConfigError> {
    let purge = PurgeService::new(sessions.clone(), token.as_str())?;
    Ok(Router::new()
        .route(paths::ADMIN, get(admin::list))
        .route(paths::ADMIN_END, post(admin::end))
        // Not `layer`, which would guard paths that are not there, too.
        .route_layer(protection)
        .route_layer(from_fn_with_state(token, require_token))
        .route_service(paths::PURGE, purge))
}

#[cfg(test)]
mod tests;
