//! The sessions of real applications on other libraries are taken over, from their real stores.

/// The code of the guides: see `../build.rs`.
#[allow(dead_code, reason = "the guides show each part by itself")]
mod code {
    include!(concat!(env!("OUT_DIR"), "/guides.rs"));
}

mod axum_session;
mod scenario;
mod tower_sessions;
