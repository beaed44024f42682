//! What happens next: owners use their browsers, processes crash, and the thief tries something.

use std::sync::Arc;

use fastrand::Rng;
use http::{HeaderName, Method};

use super::application::SESSION;
use super::browser::{Browser, Sending, Started};
use super::message::{Request, Response};
use super::thief;
use super::truth::{Change, leads_to_itself};
use super::world::World;

/// What an owner does.
#[derive(Clone, Copy, Debug)]
enum Action {
    Get(&'static str),
    Post(&'static str),
    /// A link in a mail.
    Follow(&'static str),
    Change(Change),
}

/// Lets the next thing begin.
pub fn next(world: &Arc<World>, rng: &mut Rng) {
    let browser = rng.usize(0..world.browsers.len());
    match rng.u8(0..100) {
        0..66 => act(world, browser, any_action(world, rng, browser)),
        66..80 => several_tabs(world, rng, browser),
        80..97 => thief::act(world, rng),
        _ if world.setup.common.crashes => world.restart(rng.usize(0..world.setup.common.processes)),
        _ => act(world, browser, Action::Get("/page")),
    }
}

fn several_tabs(world: &Arc<World>, rng: &mut Rng, browser: usize) {
    for _ in 0..rng.usize(2..=4) {
        act(world, browser, any_action(world, rng, browser));
    }
}

fn any_action(world: &World, rng: &mut Rng, browser: usize) -> Action {
    let is_in = world.truth.lock().sure_login(browser).is_some();
    let sign_in = |world: &World| Action::Change(Change::SignIn(world.truth.lock().new_login(browser)));
    if !is_in && rng.bool() {
        return sign_in(world);
    }
    match rng.u8(0..100) {
        0..40 => Action::Get("/page"),
        40..54 => Action::Get("/strict"),
        54..66 => Action::Post("/count"),
        66..74 => Action::Follow("/page"),
        74..77 => Action::Get("/assets/logo"),
        77..79 => Action::Post("/cart"),
        79..84 => Action::Change(Change::Renew),
        84..88 => Action::Change(Change::SignInAgain),
        88..90 => Action::Change(Change::EndOthers),
        90..94 => Action::Change(Change::LogOut),
        _ => sign_in(world),
    }
}

fn act(world: &Arc<World>, browser: usize, action: Action) {
    let acting = Arc::clone(world);
    world.spawn(browser, format!("{action:?}"), async move {
        let tab = Arc::clone(&acting.browsers[browser]);
        match action {
            Action::Get(path) => {
                ask(&tab, Method::GET, path.to_owned()).await;
            }
            Action::Post(path) => {
                ask(&tab, Method::POST, path.to_owned()).await;
            }
            Action::Follow(path) => follow(&acting, browser, path).await,
            Action::Change(change) => self::change(&acting, browser, change).await,
        }
    });
}

/// A request that our own page starts. `None` if no answer comes.
pub async fn ask(tab: &Arc<Browser>, method: Method, path: String) -> Option<Response> {
    let request = Request::new(method, path).with(HeaderName::from_static("sec-fetch-site"), "same-origin");
    tab.fetch(Sending { request, started: Started::Here }).await.ok()
}

/// A link on another site. Where it is answered by the page that leads to itself, that is followed.
async fn follow(world: &Arc<World>, browser: usize, path: &str) {
    let fetch_headers =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let with =
        |request: Request, (name, value): (&'static str, &str)| request.with(HeaderName::from_static(name), value);
    let request = fetch_headers.into_iter().fold(Request::new(Method::GET, path), with);
    let tab = &world.browsers[browser];
    let answer = tab.fetch(Sending { request, started: Started::Elsewhere }).await;
    if answer.is_ok_and(|answer| leads_to_itself(&answer))
        && let Some(answer) = ask(tab, Method::GET, path.to_owned()).await
        && leads_to_itself(&answer)
    {
        world.truth.lock().violate(Some(browser), format!("{path} leads to itself for ever"));
    }
}

async fn change(world: &Arc<World>, browser: usize, change: Change) {
    let path = match change {
        Change::SignIn(login) => format!("/login?user=user{}&number={login}", world.setup.user(browser)),
        Change::Renew => "/renew".to_owned(),
        Change::SignInAgain => "/again".to_owned(),
        Change::EndOthers => "/others".to_owned(),
        Change::LogOut => "/logout".to_owned(),
    };
    let tab = &world.browsers[browser];
    world.truth.lock().change_begins(browser);
    let answer = ask(tab, Method::POST, path).await;
    let session = tab.cookie(SESSION);
    world.truth.lock().change_ended(browser, change, answer.as_ref(), session.as_deref());
}
