//! What is said to the provider, and what is kept of it meanwhile: OpenID Connect by the authorization code, with PKCE.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, ensure};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::url::{Host, Url};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use session_axum::Time;

use crate::http_client::HttpClient;
use crate::id_token::{Expected, User, user_of};

/// The path to which the provider leads back.
pub const BACK: &str = "/signed-in";

/// What the provider knows of this application.
pub struct Registration {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// Where this application is, such as `https://shop.example`.
    pub here: String,
}

/// A sign-in that is under way. Kept in the session, so it is bound to the browser in which it began.
#[derive(Serialize, Deserialize)]
pub struct SignIn {
    state: String,
    nonce: String,
    pkce_verifier: String,
    next: String,
}

/// What the provider says when it leads back.
#[derive(Deserialize)]
pub struct Answer {
    state: String,
    code: Option<String>,
    error: Option<String>,
}

/// The provider, as this application sees it.
#[derive(Clone)]
pub struct OpenId(Arc<Provider>);

struct Provider {
    registration: Registration,
    client: Client<EndpointSet, EndpointSet>,
    http: HttpClient,
}

type Client<Authorization = EndpointNotSet, Token = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Authorization,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Token,
>;

/// What OpenID Connect adds to a token of OAuth.
#[derive(Serialize, Deserialize)]
struct IdToken {
    id_token: String,
}

impl ExtraTokenFields for IdToken {}

/// Shows no token.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").finish_non_exhaustive()
    }
}

/// What the provider says of itself.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

impl OpenId {
    /// Asks the provider what it is.
    pub async fn discover(registration: Registration) -> anyhow::Result<Self> {
        let http = HttpClient::new()?;
        let address = format!("{}/.well-known/openid-configuration", registration.issuer.trim_end_matches('/'));
        ensure!(is_private(&address), "{address} can be read by others; give an issuer with https");
        let asked = oauth2::http::Request::get(&address).body(Vec::new())?;
        let answer = http.send(asked).await.with_context(|| format!("can't reach {address}"))?;
        let found: Discovered =
            serde_json::from_slice(answer.body()).with_context(|| format!("{address} is no provider"))?;
        ensure!(found.issuer == registration.issuer, "{address} is of {}", found.issuer);
        ensure!(is_private(&found.token_endpoint), "{} can be read by others", found.token_endpoint);
        let client = Client::new(ClientId::new(registration.client_id.clone()))
            .set_client_secret(ClientSecret::new(registration.client_secret.clone()))
            .set_auth_uri(AuthUrl::new(found.authorization_endpoint)?)
            .set_token_uri(TokenUrl::new(found.token_endpoint)?)
            .set_redirect_uri(RedirectUrl::new(format!("{}{BACK}", registration.here))?);
        Ok(OpenId(Arc::new(Provider { registration, client, http })))
    }

    /// Where the visitor has to go, and what is to be kept meanwhile.
    pub fn begin(&self, next: Option<&str>) -> (Url, SignIn) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random().into_secret();
        let request = self.0.client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        let scopes = ["openid", "profile"].map(|scope| Scope::new(scope.to_owned()));
        let (address, state) = request.add_scopes(scopes).add_extra_param("nonce", &nonce).url();
        let (state, pkce_verifier) = (state.into_secret(), verifier.into_secret());
        (address, SignIn { state, nonce, pkce_verifier, next: next.unwrap_or("/").to_owned() })
    }

    /// Exchanges the code for the user.
    pub async fn finish(&self, answer: Answer, begun: SignIn, now: Time) -> anyhow::Result<User> {
        let code = answer.code.with_context(|| format!("the provider says {:?}", answer.error))?;
        let Provider { registration, client, http } = &*self.0;
        let token = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(begun.pkce_verifier))
            .request_async(http)
            .await
            .context("the provider gives no token")?;
        let expected =
            Expected { issuer: &registration.issuer, client_id: &registration.client_id, nonce: &begun.nonce };
        user_of(&token.extra_fields().id_token, &expected, now)
    }
}

impl SignIn {
    /// Whether this is the sign-in that the provider answers. Another state is that of somebody else, who wants to sign
    /// this visitor in to an account of theirs.
    pub fn is_of(&self, answer: &Answer) -> bool {
        self.state == answer.state
    }

    /// Where the visitor wanted to go.
    pub fn next(&self) -> &str {
        &self.next
    }
}

/// Whether nobody else can read or change what is sent there: the token's claims are believed for that.
fn is_private(address: &str) -> bool {
    let Ok(address) = Url::parse(address) else { return false };
    let is_here = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn a_provider_needs_https_but_on_this_machine() {
        for address in ["https://login.example", "http://127.0.0.1:4000/x", "http://[::1]"] {
            assert!(is_private(address), "{address}");
        }
        for address in
            ["http://login.example", "http://10.0.0.1", "ftp://127.0.0.1", "http://127.0.0.1.evil.example", "x"]
        {
            assert!(!is_private(address), "{address}");
        }
    }
}
