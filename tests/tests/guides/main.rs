//! What the guides in `docs/guides` show compiles, block by block, and does what they say.
//!
//! P19. The guide "Test your application" consists of tests, which run as they are shown.

/// A module for each guide, and in it one for each block: see `build.rs`.
#[allow(dead_code, reason = "not all that a guide shows is called here")]
mod code {
    include!(concat!(env!("OUT_DIR"), "/guides.rs"));
}

mod attributes;
mod behind_a_proxy;
mod deployment;
#[cfg(feature = "device-bound")]
mod device_bound;
mod every_block;
mod examples;
mod forms;
mod from_axum_login;
mod from_icza_session;
mod logins;
mod own_codec;
mod own_transport;
#[cfg(all(unix, any(feature = "postgres", feature = "redis")))]
mod proxied_site;
#[cfg(all(unix, any(feature = "postgres", feature = "redis")))]
mod real_proxies;
mod security_checklist;
mod sessions_of_a_user;
mod settings;
mod stores;
mod transports;
mod who_may_go_where;
mod without_http;

use axum::Router;
use axum::routing::post;
use session_axum::{MaybeSession, MemoryStore, NewSession, SessionError, SessionLayer};

/// What a browser sends that is to show a page.
const PAGE: (&str, &str) = ("accept", "text/html");

/// Adds `/login`, which signs Ann in.
fn with_login(routes: Router) -> Router {
    async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
        visitor.start(NewSession::new().principal("ann")).map(drop)
    }
    routes.route("/login", post(login))
}

fn in_memory(routes: Router) -> Router {
    with_login(routes).layer(SessionLayer::new(MemoryStore::new()))
}
