use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};
use session_axum::SessionLayer;

use crate::access::{AdminToken, require_token};
use crate::pages::{Site, explain_outage, style};
use crate::{admin, demo, purge};

/// Far more than a form of the demo has.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// All routes: those of visitors, and with a token those of an administrator.
pub fn all(sessions: SessionLayer, site: Site, admin_token: Option<String>) -> Router {
    let manager = sessions.manager().clone();
    let site = Arc::new(site);

    let mut routes = Router::new()
        .route("/", get(|| async { Redirect::to("/demo") }))
        .route("/demo", get(demo::show).post(demo::submit))
        .layer(sessions)
        .layer(map_response_with_state(Arc::clone(&site), explain_outage))
        .route("/demo/style.css", get(style))
        .with_state(site);

    if let Some(token) = admin_token {
        let administration = Router::new()
            .route("/demo/admin", get(admin::list))
            .route("/demo/admin/end", post(admin::end))
            .route("/demo/purge", get(purge::purge).post(purge::purge))
            .layer(from_fn_with_state(AdminToken::new(token), require_token))
            .with_state(manager);
        routes = routes.merge(administration);
    }
    routes.layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
}

#[cfg(test)]
mod tests;
