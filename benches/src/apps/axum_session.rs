use std::fmt::Debug;

use axum::Router;
use axum::routing::get;
use axum_session::{DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use time::Duration;

/// What the library asks of a database.
pub trait Database: DatabasePool + Clone + Debug + Send + Sync + 'static {}

impl<D: DatabasePool + Clone + Debug + Send + Sync + 'static> Database for D {}

pub async fn router() -> Router {
    on::<SessionNullPool>(None, SessionConfig::default()).await
}

/// With the defaults, but that nothing is kept in memory from one request to the next.
pub fn without_memory() -> SessionConfig {
    SessionConfig::default().with_memory_lifetime(Duration::ZERO)
}

/// On any database.
pub async fn on<D: Database>(pool: Option<D>, config: SessionConfig) -> Router {
    let store = SessionStore::new(pool, config).await.expect("a store");
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async |visitor: Session<D>| visitor.get::<u32>("count").unwrap_or(0).to_string()))
        .route("/set", get(set::<D>))
        .route("/count", get(count::<D>))
        .route("/login", get(log_in::<D>))
        .route("/logout", get(log_out::<D>))
        .layer(SessionLayer::new(store))
}

async fn set<D: Database>(visitor: Session<D>) -> &'static str {
    visitor.set("count", 7);
    "hello"
}

async fn count<D: Database>(visitor: Session<D>) -> String {
    let mut count: u32 = visitor.get("count").unwrap_or(0);
    count += 1;
    visitor.set("count", count);
    count.to_string()
}

async fn log_in<D: Database>(visitor: Session<D>) -> &'static str {
    visitor.renew();
    visitor.set("count", 0);
    visitor.set("user", "ann");
    "hello"
}

async fn log_out<D: Database>(visitor: Session<D>) -> &'static str {
    visitor.destroy();
    "hello"
}
