use axum::Router;
use axum::routing::get;
use tower_sessions_014::{SessionManagerLayer, SessionStore};

/// The same handlers on two versions of the library, as its moka store is for the earlier one.
macro_rules! routes {
    ($library:ident) => {{
        use $library::Session;
        use $library::session::Error;
        async fn read(session: Session) -> Result<String, String> {
            let count: u32 = session.get("count").await.map_err(text)?.unwrap_or(0);
            Ok(count.to_string())
        }
        async fn set(session: Session) -> Result<&'static str, String> {
            session.insert("count", 7).await.map_err(text)?;
            Ok("hello")
        }
        async fn count(session: Session) -> Result<String, String> {
            let count: u32 = session.get("count").await.map_err(text)?.unwrap_or(0) + 1;
            session.insert("count", count).await.map_err(text)?;
            Ok(count.to_string())
        }
        async fn log_in(session: Session) -> Result<&'static str, String> {
            session.cycle_id().await.map_err(text)?;
            session.insert("count", 0).await.map_err(text)?;
            session.insert("user", "ann").await.map_err(text)?;
            Ok("hello")
        }
        async fn log_out(session: Session) -> Result<&'static str, String> {
            session.flush().await.map_err(text)?;
            Ok("hello")
        }
        fn text(error: Error) -> String {
            error.to_string()
        }
        Router::new()
            .route("/plain", get(async || "hello"))
            .route("/read", get(read))
            .route("/set", get(set))
            .route("/count", get(count))
            .route("/login", get(log_in))
            .route("/logout", get(log_out))
    }};
}

pub fn memory(always_save: bool) -> Router {
    use tower_sessions::{MemoryStore, SessionManagerLayer};
    let layer = SessionManagerLayer::new(MemoryStore::default()).with_always_save(always_save);
    routes!(tower_sessions).layer(layer)
}

pub fn moka(always_save: bool) -> Router {
    on(tower_sessions_moka_store::MokaStore::new(Some(2_000_000)), always_save)
}

/// On any store of the earlier version.
pub fn on(store: impl SessionStore + Clone, always_save: bool) -> Router {
    routes!(tower_sessions_014).layer(SessionManagerLayer::new(store).with_always_save(always_save))
}
