use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{ServiceConfig, get};
use actix_web::{App as ActixApp, Error, HttpServer, rt, web};

use super::{App, OTHER_COOKIES, Work};
use crate::stats::{Sample, measure};

pub fn app(name: &str) -> Option<Box<dyn App>> {
    let runtime = rt::Runtime::new().expect("a runtime");
    Some(match name {
        "actix-bare" => {
            let service = runtime.block_on(init_service(ActixApp::new().configure(bare)));
            Box::new(Measured { runtime, service, cookie: None })
        }
        "actix-session" => {
            let service = runtime.block_on(init_service(ActixApp::new().wrap(sessions()).configure(routes)));
            Box::new(Measured { runtime, service, cookie: None })
        }
        _ => return None,
    })
}

pub async fn serve(name: &str, port: u16) {
    let address = ("127.0.0.1", port);
    let server = match name {
        "actix-bare" => HttpServer::new(|| ActixApp::new().configure(bare)).workers(1).bind(address).map(|s| s.run()),
        _ => {
            let key = Key::generate();
            let app = move || {
                let sessions = SessionMiddleware::new(CookieSessionStore::default(), key.clone());
                ActixApp::new().wrap(sessions).configure(routes)
            };
            HttpServer::new(app).workers(1).bind(address).map(|s| s.run())
        }
    };
    server.expect("the port is free").await.expect("the server runs");
}

fn sessions() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::generate())
}

fn bare(config: &mut ServiceConfig) {
    for work in Work::ALL {
        config.route(work.path(), get().to(async || "hello"));
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/plain", web::get().to(async || "hello"))
        .route("/read", web::get().to(read))
        .route("/set", web::get().to(set))
        .route("/count", web::get().to(count))
        .route("/login", web::get().to(log_in))
        .route("/logout", web::get().to(log_out));
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

struct Measured<S> {
    runtime: rt::Runtime,
    service: S,
    cookie: Option<String>,
}

impl<S, B> App for Measured<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    fn measure(&mut self, work: Work, requests: usize) -> Sample {
        if self.cookie.is_none() {
            self.cookie = Some(self.log_in());
        }
        let cookies: Vec<String> = match work {
            Work::Login => vec![OTHER_COOKIES.to_owned(); requests],
            Work::Logout => (0..requests).map(|_| self.log_in()).collect(),
            _ => vec![self.cookie.clone().unwrap_or_default(); requests],
        };
        let requests: Vec<_> = cookies.iter().map(|cookie| request(work, cookie)).collect();
        let count = requests.len();
        let mut answers = Vec::with_capacity(count);
        let Measured { runtime, service, .. } = self;
        let sample = measure(count, || {
            runtime.block_on(async {
                for request in requests {
                    answers.push(service.call(request).await.expect("the handler succeeds"));
                }
            });
        });
        assert!(answers.iter().all(|answer| answer.status().is_success()), "{}", work.name());
        sample
    }
}

impl<S, B> Measured<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
{
    fn log_in(&self) -> String {
        let call = self.service.call(request(Work::Login, OTHER_COOKIES));
        let answer = self.runtime.block_on(call).expect("the handler succeeds");
        let set = answer.headers().get_all("set-cookie").filter_map(|set| set.to_str().ok());
        let pairs = set.filter_map(|set| set.split(';').next()).map(str::to_owned);
        [OTHER_COOKIES.to_owned()].into_iter().chain(pairs).collect::<Vec<_>>().join("; ")
    }
}

fn request(work: Work, cookie: &str) -> actix_http::Request {
    let request = TestRequest::get().uri(work.path());
    request.insert_header(("accept", "*/*")).insert_header(("cookie", cookie)).to_request()
}
