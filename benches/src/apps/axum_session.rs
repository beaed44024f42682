use axum::Router;
use axum::routing::get;
use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};

type Visitor = Session<SessionNullPool>;

pub async fn router() -> Router {
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await.expect("a store in memory");
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async |visitor: Visitor| visitor.get::<u32>("count").unwrap_or(0).to_string()))
        .route("/set", get(set))
        .route("/count", get(count))
        .route("/login", get(log_in))
        .route("/logout", get(log_out))
        .layer(SessionLayer::new(store))
}

async fn set(visitor: Visitor) -> &'static str {
    visitor.set("count", 7);
    "hello"
}

async fn count(visitor: Visitor) -> String {
    let mut count: u32 = visitor.get("count").unwrap_or(0);
    count += 1;
    visitor.set("count", count);
    count.to_string()
}

async fn log_in(visitor: Visitor) -> &'static str {
    visitor.renew();
    visitor.set("count", 0);
    visitor.set("user", "ann");
    "hello"
}

async fn log_out(visitor: Visitor) -> &'static str {
    visitor.destroy();
    "hello"
}
