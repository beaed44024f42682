use std::fmt;
use std::future::poll_fn;

use axum::body::to_bytes;
use axum_core::BoxError;
use axum_core::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, REFERER};
use http::{Method, Request, Response};
use tower_service::Service;

use super::jar::Jar;

/// A visitor's client that calls an application in this process, and keeps its cookies in a [`Jar`].
///
/// The application is any `tower` service, such as an `axum::Router`. No server is started, and redirects are not followed.
/// A response has its whole body as text, in which bytes that are not UTF-8 are replaced.
/// [`TestSessions::client`](super::TestSessions::client) and [`Jar::client`] make one. `Clone` is another window with a copy
/// of the cookies.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_axum::SessionError> {
/// use axum::{Router, routing::get, routing::post};
/// use session_axum::testing::{SessionEffect, TestSessions};
/// use session_axum::{MaybeSession, NewSession, SignedIn};
///
/// async fn login(visitor: MaybeSession) -> Result<(), session_axum::SessionError> {
///     visitor.start(NewSession::new().principal("ann")).map(drop)
/// }
///
/// let sessions = TestSessions::new();
/// let routes = Router::new().route("/", get(async |user: SignedIn| user.principal().to_owned()));
/// let app = routes.route("/login", post(login)).layer(sessions.layer().build()?);
///
/// let mut client = sessions.client(app);
/// assert_eq!(client.get("/").await.status(), 401);
/// let response = client.submit("/login", &[("user", "ann")]).await;
/// assert_eq!(SessionEffect::of(&response), SessionEffect::Started);
/// assert_eq!(client.get("/").await.body(), "ann");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TestClient<S> {
    app: S,
    jar: Jar,
    /// The path of the page that the browser shows.
    page: Option<String>,
}

const PAGE: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const FORM: &str = "application/x-www-form-urlencoded";

impl Jar {
    /// A client with this jar that sends requests to an application: any `tower` service, such as an `axum::Router`.
    pub fn client<S>(self, app: S) -> TestClient<S> {
        TestClient { app, jar: self, page: None }
    }
}

impl<S> TestClient<S> {
    /// The visitor's jar: to sign in, to look, to take a copy.
    pub fn jar(&mut self) -> &mut Jar {
        &mut self.jar
    }
}

/// All of these panic if the application fails with an error of `tower`, which a router never does, or if a body breaks off.
impl<S, B> TestClient<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Opens a page. Forms that are sent next come from it.
    pub async fn get(&mut self, path: &str) -> Response<String> {
        let response = self.navigate(Method::GET, path, "", Body::empty()).await;
        if !response.status().is_redirection() {
            self.page = Some(path.to_owned());
        }
        response
    }

    /// Sends a form without fields, as a button does.
    pub async fn post(&mut self, path: &str) -> Response<String> {
        self.submit(path, &[]).await
    }

    /// Sends a form with these fields, from the page that was opened last: its address is in `Referer`. Without such a page
    /// there is none. A form with a header of your own is a request for [`send`](Self::send).
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response<String> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.navigate(Method::POST, path, FORM, form.into()).await
    }

    /// Sends a request of your own as a script of your page does, or as a navigation if it accepts `text/html`.
    pub async fn send<T: Into<Body>>(&mut self, request: Request<T>) -> Response<String> {
        let request = self.jar.attach(request.map(Into::into));
        self.call(request).await
    }

    /// Sends a request as a page of another site makes a browser do: see [`Jar::attach_cross_site`].
    pub async fn send_cross_site<T: Into<Body>>(&mut self, request: Request<T>) -> Response<String> {
        let request = self.jar.attach_cross_site(request.map(Into::into));
        self.call(request).await
    }

    async fn navigate(&mut self, method: Method, path: &str, content: &str, body: Body) -> Response<String> {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, PAGE);
        if !content.is_empty() {
            request = request.header(CONTENT_TYPE, content);
        }
        if let Some(page) = self.page.as_ref().and_then(|page| self.jar.address(page)) {
            request = request.header(REFERER, page);
        }
        let request = request.body(body).unwrap_or_else(|error| panic!("no request can be made for {path:?}: {error}"));
        self.send(request).await
    }

    async fn call(&mut self, request: Request<Body>) -> Response<String> {
        let path = request.uri().path().to_owned();
        let mut app = self.app.clone();
        let response = async {
            poll_fn(|context| app.poll_ready(context)).await?;
            app.call(request).await
        };
        let response = response.await;
        let response =
            response.unwrap_or_else(|error| panic!("the application fails on a request for {path:?}: {error:?}"));
        let (parts, body) = response.into_parts();
        self.jar.keep(&path, &parts.headers);
        let body = to_bytes(Body::new(body), usize::MAX).await;
        let body = body.unwrap_or_else(|error| panic!("the response for {path:?} breaks off: {error}"));
        Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Shows no id and no cookie's value.
impl<S> fmt::Debug for TestClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("jar", &self.jar).finish_non_exhaustive()
    }
}
