use actix_session::config::CookieContentSecurity;
use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_session::{Session, SessionMiddleware};
use actix_web::body::{MessageBody, to_bytes};
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{ServiceConfig, get};
use actix_web::{App as ActixApp, Error, HttpServer, rt};

use super::{ACTIX, App, OTHER_COOKIES, Work};
use crate::stats::{Sample, measured_region};

pub fn app(name: &str) -> Box<dyn App> {
    app_with(name, &Key::generate())
}

fn app_with(name: &str, key: &Key) -> Box<dyn App> {
    let runtime = rt::Runtime::new().expect("a runtime");
    if name == ACTIX {
        let service = runtime.block_on(init_service(ActixApp::new().configure(bare_routes)));
        return Box::new(InProcess { runtime, service });
    }
    with_sessions(runtime, sessions(name, key))
}

/// With sessions in Redis; processes that share them share the key of the cookie.
pub fn on_redis(url: &str) -> Box<dyn App> {
    let runtime = rt::Runtime::new().expect("a runtime");
    let store = runtime.block_on(RedisSessionStore::new(url)).expect("the server runs");
    with_sessions(runtime, SessionMiddleware::new(store, Key::from(&[7; 64])))
}

fn with_sessions<S: SessionStore + 'static>(runtime: rt::Runtime, sessions: SessionMiddleware<S>) -> Box<dyn App> {
    let service = runtime.block_on(init_service(ActixApp::new().wrap(sessions).configure(routes)));
    Box::new(InProcess { runtime, service })
}

/// Logs visitors in, gives their cookies to `tell`, and serves on one thread.
pub fn serve(name: &str, port: u16, visitors: usize, tell: impl FnOnce(Vec<String>)) {
    let key = Key::generate();
    let mut app = app_with(name, &key);
    tell((0..visitors).map(|_| app.log_in()).collect());
    let address = ("127.0.0.1", port);
    let server = if name == ACTIX {
        HttpServer::new(|| ActixApp::new().configure(bare_routes)).workers(1).bind(address).map(HttpServer::run)
    } else {
        let name = name.to_owned();
        let app = move || ActixApp::new().wrap(sessions(&name, &key)).configure(routes);
        HttpServer::new(app).workers(1).bind(address).map(HttpServer::run)
    };
    let server = server.expect("the port is free");
    rt::System::new().block_on(server).expect("the server runs");
}

fn sessions(name: &str, key: &Key) -> SessionMiddleware<CookieSessionStore> {
    let security = match name {
        "actix-session" => CookieContentSecurity::Private,
        "actix-session-signed" => CookieContentSecurity::Signed,
        _ => panic!("there is no application {name}"),
    };
    let builder = SessionMiddleware::builder(CookieSessionStore::default(), key.clone());
    builder.cookie_content_security(security).build()
}

fn bare_routes(config: &mut ServiceConfig) {
    config
        .route("/plain", get().to(async || "hello"))
        .route("/read", get().to(async || 7.to_string()))
        .route("/set", get().to(async || "hello"))
        .route("/count", get().to(async || 7.to_string()))
        .route("/login", get().to(async || "hello"))
        .route("/logout", get().to(async || "hello"));
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/plain", get().to(async || "hello"))
        .route("/read", get().to(read))
        .route("/set", get().to(set))
        .route("/count", get().to(count))
        .route("/login", get().to(log_in))
        .route("/logout", get().to(log_out));
}

async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get::<u32>("count")?.unwrap_or(0).to_string())
}

async fn set(session: Session) -> Result<&'static str, Error> {
    session.insert("count", 7)?;
    Ok("hello")
}

async fn count(session: Session) -> Result<String, Error> {
    let count = session.get::<u32>("count")?.unwrap_or(0) + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

async fn log_in(session: Session) -> Result<&'static str, Error> {
    session.renew();
    session.insert("count", 0)?;
    session.insert("user", "ann")?;
    Ok("hello")
}

async fn log_out(session: Session) -> &'static str {
    session.purge();
    "hello"
}

struct InProcess<S> {
    runtime: rt::Runtime,
    service: S,
}

impl<S, B> App for InProcess<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    fn log_in(&mut self) -> String {
        let call = self.service.call(request(Work::Login, OTHER_COOKIES));
        let answer = self.runtime.block_on(call).expect("the handler succeeds");
        let set = answer.headers().get_all(header::SET_COOKIE);
        let pairs = set.filter_map(|set| set.to_str().ok()?.split(';').next());
        [OTHER_COOKIES].into_iter().chain(pairs).collect::<Vec<_>>().join("; ")
    }

    fn answer(&mut self, work: Work, cookies: &[String]) -> Sample {
        let requests: Vec<_> = cookies.iter().map(|cookie| request(work, cookie)).collect();
        let InProcess { runtime, service } = self;
        measured_region(|| {
            runtime.block_on(async {
                for request in requests {
                    let answer = service.call(request).await.expect("the handler succeeds");
                    assert!(answer.status().is_success(), "{}", work.name());
                }
            });
        })
    }

    fn count(&mut self, cookie: &str) -> u64 {
        let InProcess { runtime, service } = self;
        runtime.block_on(async {
            let answer = service.call(request(Work::Read, cookie)).await.expect("the handler succeeds");
            let body = to_bytes(answer.into_body()).await.unwrap_or_else(|_| panic!("a body"));
            String::from_utf8_lossy(&body).parse().expect("a number")
        })
    }
}

fn request(work: Work, cookie: &str) -> actix_http::Request {
    let request = TestRequest::get().uri(work.path());
    request.insert_header((header::ACCEPT, "*/*")).insert_header((header::COOKIE, cookie)).to_request()
}
