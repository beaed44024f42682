//! Sessions for axum.
