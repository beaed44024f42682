use axum::body::to_bytes;
use axum_core::body::Body;
use http::{HeaderMap, header};

/// The largest form that is looked through: 2 MiB, as axum's `Form` takes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Whether a body is a form whose fields can be read without knowing anything else.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The field of a form with this name, and the body as it was. `None` if it can't be read, or is too large.
pub(super) async fn form_field(body: Body, name: &str) -> Option<(Option<String>, Body)> {
    let bytes = to_bytes(body, MAX_BYTES).await.ok()?;
    let field = form_urlencoded::parse(&bytes).find(|(field, _)| field == name);
    let value = field.map(|(_, value)| value.into_owned());
    Some((value, Body::from(bytes)))
}
