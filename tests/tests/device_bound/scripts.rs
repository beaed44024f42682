//! Small scripts of a server's answers, and what a browser does under them: one for each row of what was observed of
//! Chromium.

use std::collections::VecDeque;

use axum::http::header::{LOCATION, SET_COOKIE};
use simulator::device::{Request, Response};

/// What a user or a page does.
#[derive(Clone, Copy)]
pub enum Step {
    Get(&'static str),
    Post(&'static str),
    /// As many requests at once.
    Together(usize),
    /// Without cookies.
    Omitting(&'static str),
    /// A link on another site leads there.
    Follow(&'static str),
    /// The bound cookie lapses.
    Lapse,
}

/// What a server answers, where it is not what it always answers.
#[derive(Clone)]
pub enum Reply {
    Usual,
    Response(Response),
    Closed,
    /// None, however long the browser waits.
    Silence,
}

/// What became of a request.
pub enum Answered {
    Response(Response),
    Closed,
    Silence,
}

/// A script, and what came.
pub struct Script {
    pub name: &'static str,
    pub steps: Vec<Step>,
    /// The answers to refreshes, one after the other.
    refreshes: VecDeque<Reply>,
    /// The answers to registrations, one after the other.
    registrations: VecDeque<Reply>,
    /// How long the bound cookie lives, in seconds.
    max_age: u32,
    /// What the instructions have beside the usual.
    refresh_url: Option<&'static str>,
    challenges: usize,
    /// What is sent beside another request comes before or after it.
    pub is_in_any_order: bool,
    /// The last request, if its connection was closed.
    closed: Option<String>,
    pub sent: Vec<String>,
}

use Step::{Follow, Get, Lapse, Omitting, Post, Together};

const BOUND: &str = "__Host-bound";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

impl Script {
    fn new(name: &'static str, steps: &[Step]) -> Self {
        Script {
            name,
            steps: [&[Post("/login")], steps].concat(),
            refreshes: VecDeque::new(),
            registrations: VecDeque::new(),
            max_age: 600,
            refresh_url: Some("/dbsc/refresh"),
            challenges: 0,
            is_in_any_order: false,
            closed: None,
            sent: Vec::new(),
        }
    }

    fn refreshed(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.refreshes.extend(replies);
        self
    }

    fn in_any_order(self) -> Self {
        Script { is_in_any_order: true, ..self }
    }

    fn registered(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.registrations.extend(replies);
        self
    }

    /// Answers a request, and notes what of it matters.
    pub fn answer(&mut self, request: &Request) -> Answered {
        let line = line(request);
        // A request whose connection is closed comes again, as often as the browser's pool of connections will have it.
        if self.closed.take().is_none_or(|closed| closed != line) {
            self.sent.push(line.clone());
        }
        let reply = match request.route() {
            "/dbsc/register" if self.refresh_url.is_some() || request.header("sec-secure-session-id").is_none() => {
                self.registrations.pop_front()
            }
            "/dbsc/register" | "/dbsc/refresh" => self.refreshes.pop_front(),
            _ => None,
        };
        match reply.unwrap_or(Reply::Usual) {
            Reply::Usual => Answered::Response(self.usual(request)),
            Reply::Response(response) => Answered::Response(response),
            Reply::Closed => {
                self.closed = Some(line);
                Answered::Closed
            }
            Reply::Silence => Answered::Silence,
        }
    }

    fn usual(&mut self, request: &Request) -> Response {
        let has_proof = request.signed_challenge().is_some();
        match request.route() {
            "/login" => logged_in(200),
            "/login-answered-401" => logged_in(401),
            "/login-answered-303" => logged_in(303).with(LOCATION.as_str(), WELCOME),
            "/login-clearing-cookies" => logged_in(200).with("clear-site-data", r#""cookies""#),
            "/login-clearing-storage" => logged_in(200).with("clear-site-data", r#""storage""#),
            "/logout" => [BOUND, "__Host-sessid"].into_iter().fold(Response::new(200), |response, cookie| {
                response.with(SET_COOKIE.as_str(), &format!("{cookie}=; {ATTRIBUTES}; Max-Age=0"))
            }),
            "/dbsc/refresh" | "/dbsc/register" if !has_proof => challenge(403, &self.next_challenge()),
            "/dbsc/refresh" | "/dbsc/register" => {
                let next = self.next_challenge();
                self.good().with("secure-session-challenge", &format!("\"{next}\";id=\"s\""))
            }
            "/gives" => challenge(200, "given"),
            "/gives-404" => challenge(404, "of 404"),
            "/gives-303" => challenge(303, "of 303").with(LOCATION.as_str(), "/page"),
            "/gives-bare" => Response::new(200).with("secure-session-challenge", r#"bare;id="s""#),
            "/gives-another" => Response::new(200).with("secure-session-challenge", r#""another's";id="t""#),
            "/clears-cookies" => Response::new(200).with("clear-site-data", r#""cookies""#),
            "/clears-cookies-303" => {
                Response::new(303).with("clear-site-data", r#""cookies""#).with(LOCATION.as_str(), "/page")
            }
            "/clears-all" => Response::new(200).with("clear-site-data", r#""*""#),
            "/clears-storage" => Response::new(200).with("clear-site-data", r#""storage""#),
            _ => Response::new(200).with("content-type", "text/html").with_body("page"),
        }
    }

    fn next_challenge(&mut self) -> String {
        self.challenges += 1;
        format!("c{}", self.challenges)
    }

    fn good(&self) -> Response {
        let max_age = self.max_age;
        Response::new(200)
            .with_body(instructions(self.refresh_url))
            .with("content-type", "application/json")
            .with(SET_COOKIE.as_str(), &format!("{BOUND}=1; {ATTRIBUTES}; Max-Age={max_age}"))
    }
}

fn logged_in(status: u16) -> Response {
    Response::new(status)
        .with(SET_COOKIE.as_str(), "__Host-sessid=1; Path=/; Secure; HttpOnly; SameSite=Lax")
        .with("secure-session-registration", r#"(ES256 RS256);path="/dbsc/register";challenge="r""#)
}

/// Where a login leads by a redirect. The browser registers beside it, and either may be first to arrive, so that nobody knows
/// whether the bound cookie comes along.
const WELCOME: &str = "/welcome";

/// What of a request matters.
fn line(request: &Request) -> String {
    let mut line = format!("{} {}", request.method, request.path);
    if let Some(challenge) = request.signed_challenge() {
        line += &format!(" proof of {challenge}");
    }
    if request.cookie("__Host-sessid").is_some() {
        line += " session";
    }
    if request.cookie(BOUND).is_some() && request.path != WELCOME {
        line += " bound";
    }
    if let Some(skipped) = request.header("secure-session-skipped") {
        line += &format!(" skipped {skipped}");
    }
    line
}

fn instructions(refresh_url: Option<&str>) -> String {
    let url = refresh_url.map(|url| format!(r#""refresh_url":"{url}","#)).unwrap_or_default();
    format!(
        r#"{{"session_identifier":"s",{url}"scope":{{"include_site":false,"scope_specification":[
            {{"type":"exclude","domain":"*","path":"/static"}},{{"type":"include","domain":"*","path":"/static/page"}}]}},
            "credentials":[{{"type":"cookie","name":"{BOUND}","attributes":"{ATTRIBUTES}"}}]}}"#
    )
}

fn challenge(status: u16, text: &str) -> Response {
    Response::new(status).with("secure-session-challenge", &format!("\"{text}\";id=\"s\""))
}

fn status(status: u16) -> Reply {
    Reply::Response(Response::new(status))
}

/// With the bound cookie.
fn kept(response: Response) -> Reply {
    Reply::Response(response.with(SET_COOKIE.as_str(), &format!("{BOUND}=1; {ATTRIBUTES}; Max-Age=600")))
}

/// A refresh is answered by something else, and requests follow that show what has become of the session.
fn answered(name: &'static str, reply: Reply) -> Script {
    let steps = [Get("/page"), Lapse, Get("/page"), Lapse, Get("/page"), Get("/page"), Lapse, Get("/page")];
    Script::new(name, &steps).refreshed([Reply::Usual, reply])
}

/// So many refreshes are answered by challenges.
fn challenged(name: &'static str, times: usize) -> Script {
    let replies = ["a", "b", "c", "d", "e"].map(|text| Reply::Response(challenge(403, text)));
    Script::new(name, &[Lapse, Get("/page"), Get("/page")]).refreshed(replies.into_iter().take(times))
}

/// So many refreshes are answered by challenges, in a session that has none to sign before.
fn unchallenged(name: &'static str, times: usize) -> Script {
    let without = kept(Response::new(200).with_body(instructions(Some("/dbsc/refresh"))));
    challenged(name, times).registered([without])
}

/// All scripts.
pub fn all() -> Vec<Script> {
    let ended = |json: &str| Reply::Response(Response::new(200).with_body(json));
    let json = instructions(Some("/dbsc/refresh"));
    let other_cookie = Response::new(200)
        .with_body(json.clone())
        .with(SET_COOKIE.as_str(), &format!("{BOUND}=1; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=600"));
    let without_id = Response::new(403).with("secure-session-challenge", "\"x\"");
    let wrong_id = Response::new(403).with("secure-session-challenge", r#""x";id="t""#);
    let redirected = Response::new(303).with(LOCATION.as_str(), "/elsewhere");
    let mut scripts = vec![
        answered("the usual", Reply::Usual),
        answered("continue: false", ended(r#"{"session_identifier":"s","continue":false}"#)),
        answered("continue: false without a name", ended(r#"{"continue":false}"#)),
        answered("instructions of another session", ended(&json.replace(r#""s""#, r#""t""#))),
        answered("no instructions", ended("page")),
        answered("403 without a challenge", status(403)),
        answered("403 with a challenge without id", Reply::Response(without_id)),
        answered("403 with a challenge of another", Reply::Response(wrong_id)),
        answered("a redirect", Reply::Response(redirected)),
        answered("a closed connection", Reply::Closed),
        answered("a closed connection, three times", Reply::Closed).refreshed([Reply::Closed, Reply::Closed]),
        answered("no answer", Reply::Silence),
        answered("an empty 200, then the same challenge", kept(Response::new(200))),
        answered("instructions without a challenge", kept(Response::new(200).with_body(json.clone()))),
        answered("no cookie", Reply::Response(Response::new(200).with_body(json.clone()))),
        answered("a cookie that does not match", Reply::Response(other_cookie)),
        challenged("three proofs refused", 3),
        challenged("four proofs refused", 4),
        unchallenged("three proofs refused, after a request without one", 4),
        unchallenged("four proofs refused, after a request without one", 5),
        Script::new("403 and nothing else", &[Lapse, Get("/page"), Get("/page")]).refreshed([403; 9].map(status)),
        Script::new("403 and nothing to sign", &[Lapse, Get("/page"), Lapse, Get("/page"), Get("/page")])
            .refreshed([kept(Response::new(200).with_body(json.clone())), status(403)]),
        Script::new("errors of the server", &[Lapse, Get("/1"), Get("/2"), Get("/3"), Get("/4"), Get("/5")])
            .refreshed([500, 503, 500, 503].map(status)),
        Script::new("one refresh for all", &[Lapse, Together(6), Lapse, Together(3)]),
        Script::new("a POST", &[Lapse, Post("/page")]),
        Script::new("a link on another site", &[Lapse, Follow("/page"), Get("/page")]),
        Script::new("without cookies", &[Lapse, Omitting("/page")]),
        Script::new("out of scope", &[Lapse, Get("/static/a"), Get("/staticly"), Lapse, Get("/static/page")]),
        Script::new("a challenge of a page", &[Get("/gives"), Lapse, Get("/page")]),
        Script::new("a challenge of a 303", &[Get("/gives-303"), Lapse, Get("/page")]),
        Script::new("a challenge of a 404", &[Get("/gives-404"), Lapse, Get("/page")]),
        Script::new("a challenge without quotes", &[Get("/gives"), Get("/gives-bare"), Lapse, Get("/page")]),
        Script::new("a challenge of another session", &[Get("/gives"), Get("/gives-another"), Lapse, Get("/page")]),
        Script::new("signing in again", &[Post("/login"), Lapse, Get("/page"), Lapse, Get("/page")]),
        Script::new("logging out", &[Get("/page"), Get("/logout"), Get("/page")])
            .refreshed([ended(r#"{"session_identifier":"s","continue":false}"#)]),
        Script::new("cookies cleared", &[Get("/clears-cookies"), Get("/page"), Post("/login"), Get("/page")]),
        Script::new("storage cleared", &[Get("/clears-storage"), Lapse, Get("/page"), Post("/login"), Get("/page")]),
        Script::new("all cleared", &[Get("/clears-all"), Get("/page"), Post("/login"), Get("/page")]),
        Script::new("cookies cleared by a redirect", &[Get("/clears-cookies-303"), Post("/login"), Get("/page")]),
        Script::new("a login that clears cookies", &[Post("/login-clearing-cookies"), Lapse, Get("/page")]),
        Script::new("a login that clears storage", &[Post("/login-clearing-storage"), Lapse, Get("/page")]),
        Script::new("a login again by a 303", &[Post("/login-answered-303"), Lapse, Get("/page")]).in_any_order(),
        answered("a 401 that clears", Reply::Response(Response::new(401).with("clear-site-data", r#""cookies""#))),
        Script { refresh_url: None, ..Script::new("refreshed where registered", &[Lapse, Get("/page")]) },
        Script { max_age: 60, ..Script::new("a cookie about to lapse", &[Get("/page")]).in_any_order() },
    ];
    // The usual login fails to register, so that this one is the first.
    scripts.extend(
        ["/login-answered-401", "/login-answered-303"].map(|login| {
            Script::new(login, &[Post(login), Lapse, Get("/page")]).registered([status(500)]).in_any_order()
        }),
    );
    let statuses = [400, 401, 404, 410, 429, 500, 503];
    scripts.extend(statuses.map(|code| answered("a status", status(code))));
    let failing = [status(401), status(500), Reply::Response(Response::new(200).with_body("page")), Reply::Closed];
    scripts.extend(failing.map(|reply| {
        let steps = [Get("/page"), Post("/login"), Lapse, Get("/page")];
        Script::new("a registration that fails", &steps).registered([reply])
    }));
    scripts
}
