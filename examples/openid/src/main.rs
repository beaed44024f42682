//! Sign-in with OpenID Connect: the application leaves for a provider, and comes back with a user.
//!
//! Begin to read in [`app`]. What is said to the provider is in [`openid`], and [`provider`] is a small one to try it with.

mod http_client;
mod id_token;
mod openid;
mod problem;
mod provider;
#[cfg(test)]
mod tests;

use std::env;

use anyhow::Context;
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use session_axum::{
    AttrKey, Authentication, ConfigError, CoreError, CrossOriginProtection, EndSession, MaybeSession, MemoryStore,
    NewSession, ReturnTo, Session, SessionError, SessionLayer, SessionLayerBuilder, SessionManager, SignedIn, Store,
};
use tokio::net::TcpListener;

use openid::{Answer, OpenId, Registration, SignIn};
use problem::Problem;

/// The sign-in that is under way. It is in the session of the visitor, who is still a stranger.
const SIGN_IN: AttrKey<SignIn> = AttrKey::new("SignIn");
const NAME: AttrKey<String> = AttrKey::new("Name");

/// What handlers share.
#[derive(Clone)]
struct App {
    openid: OpenId,
    sessions: SessionManager,
}

/// Leaves for the provider.
async fn begin(State(app): State<App>, visitor: MaybeSession, next: ReturnTo) -> Result<Redirect, SessionError> {
    let (address, sign_in) = app.openid.begin(next.path());
    visitor.session_or_start()?.set_attr(SIGN_IN, &sign_in)?;
    Ok(Redirect::to(address.as_str()))
}

/// Comes back from the provider.
async fn finish(
    State(app): State<App>,
    visitor: MaybeSession,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    let begun = visitor.session().map(|before| begun(&before, &answer)).transpose()?.flatten();
    let Some(begun) = begun else { return Err(Problem::NotBegun) };
    let next = begun.next().to_owned();
    let user = app.openid.finish(answer, begun, app.sessions.now()).await?;
    // A fresh id. The session of the stranger ends, whoever knows its id.
    let proof = Authentication::by(["openid"]).at(user.authenticated_at());
    visitor.start(NewSession::new().principal(user.id()).constant(NAME, user.name()).authenticated(proof))?;
    Ok(Redirect::to(&next).into_response())
}

/// The sign-in that the provider answers. It can be finished once. An answer to another one changes nothing.
fn begun(before: &Session, answer: &Answer) -> Result<Option<SignIn>, CoreError> {
    let begun = before.attr(SIGN_IN)?.filter(|begun| begun.is_of(answer));
    if begun.is_some() {
        before.remove_attr(SIGN_IN)?;
    }
    Ok(begun)
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    name: String,
}

async fn home(user: SignedIn) -> Result<Html<String>, Problem> {
    let page = HomePage { name: user.constant(NAME)?.unwrap_or_default() };
    Ok(Html(page.render().map_err(anyhow::Error::from)?))
}

/// Signs out here. The visitor is still signed in at the provider.
async fn sign_out(ending: EndSession) -> Html<&'static str> {
    ending.end();
    Html(include_str!("../templates/signed_out.html"))
}

fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
    // The provider leads back by a link, with which browsers send a cookie that is `SameSite=Lax`, the default. With
    // `Strict` the sign-in would not be found.
    builder.sign_in_page("/sign-in").never_return_to(["/sign-out", openid::BACK]).build()
}

fn app(sessions: SessionLayer, openid: OpenId) -> Router {
    let state = App { openid, sessions: sessions.manager().clone() };
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(begin))
        .route(openid::BACK, get(finish))
        .route("/sign-out", post(sign_out))
        .layer(CrossOriginProtection::new())
        .layer(sessions)
        .with_state(state)
}

/// Takes a provider's address from the environment, or else starts a small one.
async fn registration() -> anyhow::Result<Registration> {
    let here = "http://127.0.0.1:3000".to_owned();
    if let Ok(issuer) = env::var("OPENID_ISSUER") {
        let client_id = env::var("OPENID_CLIENT_ID").context("OPENID_CLIENT_ID is not set")?;
        let client_secret = env::var("OPENID_CLIENT_SECRET").context("OPENID_CLIENT_SECRET is not set")?;
        return Ok(Registration { issuer, client_id, client_secret, here });
    }
    let issuer = "http://127.0.0.1:4000".to_owned();
    let listener = TcpListener::bind("127.0.0.1:4000").await?;
    tokio::spawn(async move { axum::serve(listener, provider::provider("http://127.0.0.1:4000")).await });
    let (client_id, client_secret) = (provider::CLIENT_ID.to_owned(), provider::CLIENT_SECRET.to_owned());
    Ok(Registration { issuer, client_id, client_secret, here })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let openid = OpenId::discover(registration().await?).await?;
    let builder = SessionLayer::builder(MemoryStore::new()).allow_http(); // HTTP is for development only.
    let app = app(session_layer(builder)?, openid);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    tracing::info!("open http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
