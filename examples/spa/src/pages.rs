//! The files of the page. Another server, or a folder, may serve them just as well.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;

/// The page beside the API.
pub fn first() -> Router {
    with_script().route("/", get(async || Html(include_str!("../static/first.html"))))
}

/// The page of a second origin, which calls the API of the first.
pub fn second(first: &str) -> Router {
    let page = include_str!("../static/second.html").replace("{first}", first);
    with_script().route("/", get(async move || Html(page)))
}

fn with_script() -> Router {
    let script = ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("../static/app.js"));
    Router::new().route("/app.js", get(async move || script))
}
