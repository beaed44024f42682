//! The user in an id token (OpenID Connect Core 1.0, 3.1.3.7).
//!
//! The token comes straight from the provider over TLS, which proves who has made it: its signature is not needed then.
//! A token that comes by any other way, such as from a browser, must not be read by this.

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use session_axum::Time;

/// A user, as the provider knows them.
#[derive(Debug)]
pub struct User {
    id: String,
    name: String,
    authenticated_at: Time,
}

/// What a token must say.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    /// In seconds, as are all times.
    exp: i64,
    nonce: Option<String>,
    name: Option<String>,
    auth_time: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl User {
    /// Never changes, and belongs to one user of this provider. An application with several providers puts the issuer before it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the user last gave the provider a password or the like. That may be long before this sign-in.
    pub fn authenticated_at(&self) -> Time {
        self.authenticated_at
    }
}

/// Reads a token. An error says what is wrong with it, and nothing of what it says.
pub fn user_of(token: &str, expected: &Expected<'_>, now: Time) -> anyhow::Result<User> {
    let claims = claims_of(token).context("the id token can't be read")?;
    ensure!(claims.iss == expected.issuer, "the id token is of another issuer");
    ensure!(claims.is_for(expected.client_id), "the id token is for another application");
    ensure!(claims.nonce.as_deref() == Some(expected.nonce), "the id token is of another sign-in");
    ensure!(time(claims.exp) > now, "the id token has expired");
    let authenticated_at = claims.auth_time.map_or(now, time);
    Ok(User { name: claims.name.unwrap_or_else(|| claims.sub.clone()), id: claims.sub, authenticated_at })
}

fn claims_of(token: &str) -> anyhow::Result<Claims> {
    let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    Ok(serde_json::from_slice(&claims.context("its second part is no base64")?)?)
}

fn time(seconds: i64) -> Time {
    Time::from_unix_millis(seconds.saturating_mul(1000))
}

impl Claims {
    fn is_for(&self, client_id: &str) -> bool {
        let is_among = match &self.aud {
            Audience::One(audience) => audience == client_id,
            Audience::Several(audiences) => audiences.iter().any(|audience| audience == client_id),
        };
        is_among && self.azp.as_ref().is_none_or(|party| party == client_id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EXPECTED: Expected<'_> = Expected { issuer: "https://login.example", client_id: "shop", nonce: "n" };
    const NOW: Time = Time::from_unix_millis(1_000_000);

    fn read(change: Value) -> anyhow::Result<User> {
        let mut claims =
            json!({ "iss": "https://login.example", "sub": "7", "aud": "shop", "exp": 1001, "nonce": "n" });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        user_of(&format!("head.{}.signature", URL_SAFE_NO_PAD.encode(claims.to_string())), &EXPECTED, NOW)
    }

    #[test]
    fn the_user_of_a_token_is_its_subject() {
        assert_eq!(read(json!({})).unwrap().id(), "7");
        let user = read(json!({ "aud": ["other", "shop"], "azp": "shop", "name": "Ann", "auth_time": 900 })).unwrap();
        assert_eq!((user.name(), user.authenticated_at()), ("Ann", Time::from_unix_millis(900_000)));
    }

    /// P75.
    #[test]
    fn a_token_of_another_provider_application_sign_in_or_time_is_refused() {
        for wrong in [
            json!({ "iss": "https://evil.example" }),
            json!({ "aud": "other" }),
            json!({ "aud": ["shop", "other"], "azp": "other" }),
            json!({ "nonce": "another" }),
            json!({ "nonce": null }),
            json!({ "exp": 1000 }),
            json!({ "sub": null }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        for no_token in ["", ".", "a.b.c", "..", "a"] {
            assert!(user_of(no_token, &EXPECTED, NOW).is_err());
        }
    }
}
