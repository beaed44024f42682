//! A provider of OpenID Connect to try the application with. It believes everybody every name: for this machine alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use oauth2::CsrfToken;
use serde::Deserialize;
use serde_json::{Value, json};
use session_axum::{Clock, SystemClock};
use sha2::{Digest, Sha256};

/// The application that this provider knows.
pub const CLIENT_ID: &str = "example";
pub const CLIENT_SECRET: &str = "a secret of the example";

/// The provider at an address.
#[derive(Clone)]
pub struct Provider {
    issuer: Arc<str>,
    granted: Arc<Mutex<HashMap<String, Granted>>>,
}

/// What the application asks for, in the address to which it leads a visitor.
#[derive(Clone, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
}

/// What a code stands for.
struct Granted {
    asked: Asked,
    user: String,
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[derive(Deserialize)]
struct Exchange {
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

/// The routes of a provider at this address.
pub fn provider(issuer: &str) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/authorize", get(page).post(grant))
        .route("/token", post(token))
        .with_state(Provider { issuer: issuer.into(), granted: Arc::default() })
}

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let issuer = &*provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256"],
    }))
}

/// Asks the visitor who they are. The form is sent to the same address, with what the application asked for.
async fn page() -> Html<&'static str> {
    Html(include_str!("../templates/provider.html"))
}

/// Leads back with a code.
async fn grant(
    State(provider): State<Provider>,
    Query(asked): Query<Asked>,
    Form(login): Form<Login>,
) -> Result<Redirect, StatusCode> {
    if asked.client_id != CLIENT_ID {
        return Err(StatusCode::BAD_REQUEST);
    }
    let code = CsrfToken::new_random().into_secret();
    let back = format!("{}?code={code}&state={}", asked.redirect_uri, asked.state);
    provider.granted.lock().expect("nobody panics").insert(code, Granted { asked, user: login.user });
    Ok(Redirect::to(&back))
}

/// Gives the application a token for a code, once, if it is the application that asked for it.
async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(exchange): Form<Exchange>,
) -> Result<Json<Value>, StatusCode> {
    if !is_the_client(&headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let granted = provider.granted.lock().expect("nobody panics").remove(&exchange.code);
    let granted = granted.filter(|granted| exchange.fits(&granted.asked)).ok_or(StatusCode::BAD_REQUEST)?;
    let token = provider.id_token(&granted);
    Ok(Json(json!({ "access_token": "of no use", "token_type": "Bearer", "id_token": token })))
}

fn is_the_client(headers: &HeaderMap) -> bool {
    // Form-encoded, as RFC 6749 has it.
    let pair = format!("{CLIENT_ID}:{}", CLIENT_SECRET.replace(' ', "+"));
    headers.get(header::AUTHORIZATION).is_some_and(|value| *value == format!("Basic {}", STANDARD.encode(pair)))
}

impl Exchange {
    fn fits(&self, asked: &Asked) -> bool {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&self.code_verifier));
        self.redirect_uri == asked.redirect_uri && challenge == asked.code_challenge
    }
}

impl Provider {
    fn id_token(&self, granted: &Granted) -> String {
        let now = SystemClock.now().unix_millis() / 1000;
        let claims = json!({
            "iss": &*self.issuer, "sub": granted.user, "aud": CLIENT_ID, "nonce": granted.asked.nonce,
            "name": granted.user, "iat": now, "exp": now + 300, "auth_time": now,
        });
        let parts = [json!({ "alg": "HS256", "typ": "JWT" }), claims];
        let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("a key has any length");
        signature.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.finalize().into_bytes()))
    }
}
