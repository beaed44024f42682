use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};
use session_axum::{ConfigError, CrossOriginProtection, PurgeService, SessionLayer};

use crate::access::{AdminToken, require_token};
use crate::pages::{Site, explain_outage, style};
use crate::{admin, demo};

/// How large a form may be. A form of the demo is far smaller.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// All routes: those of visitors, and with an admin token those of an administrator.
pub fn all(sessions: SessionLayer, site: Site, admin_token: Option<AdminToken>) -> Result<Router, ConfigError> {
    let manager = sessions.manager().clone();
    let protection = CrossOriginProtection::new();
    // The routes of an administrator are in no session layer that would know.
    let protection = if site.allows_http() { protection.allow_http() } else { protection };
    let site = Arc::new(site);

    let mut routes = Router::new()
        .route("/", get(|| async { Redirect::to(demo::PAGE) }))
        .route(demo::PAGE, get(demo::show).post(demo::submit))
        .route_layer(protection.clone())
        .layer(sessions)
        .layer(map_response_with_state(Arc::clone(&site), explain_outage))
        .route("/demo/style.css", get(style))
        .with_state(site);

    if let Some(token) = admin_token {
        routes = routes.route_service("/demo/purge", PurgeService::new(manager.clone(), token.as_str())?);
        let administration = Router::new()
            .route("/demo/admin", get(admin::list))
            .route("/demo/admin/end", post(admin::end))
            // Not `layer`, which would guard paths that are not there, too.
            .route_layer(protection)
            .route_layer(from_fn_with_state(token, require_token))
            .with_state(manager);
        routes = routes.merge(administration);
    }
    Ok(routes.layer(DefaultBodyLimit::max(MAX_FORM_BYTES)))
}

#[cfg(test)]
mod tests;
