use axum::debug_handler;
use axum::response::Redirect;
use session_axum::EndSession;

use crate::paths::DEMO;
use crate::site::App;

/// Ends the session of this browser, whatever id it has by now.
#[debug_handler(state = App)]
pub async fn submit(ending: EndSession) -> Redirect {
    ending.end();
    Redirect::to(DEMO)
}
