use axum::debug_handler;
use axum::response::Redirect;
use session_axum::EndSession;

use crate::pages::demo;
use crate::site::App;

/// Where the button leads that is in every frame.
pub const PAGE: &str = "/demo/sign-out";

/// Ends the session of this browser, whatever id it has by now.
#[debug_handler(state = App)]
pub async fn submit(ending: EndSession) -> Redirect {
    ending.end();
    Redirect::to(demo::PAGE)
}
