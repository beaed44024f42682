//! Pages as responses.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// A page, or a part of one.
pub fn shown(page: &impl Template) -> Response {
    page.render()
        .map(Html)
        .map_err(|error| {
            tracing::error!(%error, "rendering a page failed");
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .into_response()
}
