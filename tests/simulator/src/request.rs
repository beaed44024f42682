//! One request from the browser to the handler and back, as the web layer serves it: the session is opened, the
//! handler uses it, and the visit is committed before the response leaves.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Committed, Error, PresentedIds, Session, SessionManager, Visit};
use tokio::time::sleep;

use crate::browser::Told;
use crate::handler::Handler;
use crate::model::{Attr, Commit, Doing, Model, Seen};
use crate::plan::{Act, Plan};
use crate::world::World;

/// A request that is about to be sent.
pub struct Request {
    /// The browser that sends it; none for an attacker's.
    pub browser: Option<usize>,
    pub process: usize,
    pub ids: Vec<String>,
    pub plan: Plan,
    /// How long it and its response are on their way.
    pub travel: [Duration; 2],
    /// When the client hangs up.
    pub hangs_up: Option<Duration>,
    /// The client does not take the response.
    pub is_lost: bool,
}

/// Sends a request.
pub fn send(world: &Arc<World>, request: Request) {
    let number = world.next_number();
    let name = format!("R{number}");
    world.story.tell(&about(world, &request.ids), || describe(world, &name, &request));
    let pauses = request.plan.pauses();
    let (sender, what) = (Arc::clone(world), name.clone());
    world.spawn(what, pauses, async move { exchange(&sender, name, request).await });
}

fn describe(world: &World, name: &str, request: &Request) -> String {
    let who = match request.browser {
        Some(browser) => format!("browser {browser}"),
        None => "the attacker".to_owned(),
    };
    let (process, what) = (request.process, request.plan.name);
    let ids = names(world, &request.ids);
    format!("{name} {who} {what} at P{process} with [{ids}] {:?}", request.plan.acts)
}

/// The sessions that ids belong to, for the story.
fn about(world: &World, ids: &[String]) -> Vec<usize> {
    let model = world.model.lock();
    let about: Vec<usize> = ids.iter().filter_map(|id| model.place_of(id)).map(|place| place.lineage).collect();
    // Nobody's: whoever reads about one session need not read it.
    if about.is_empty() { vec![usize::MAX] } else { about }
}

fn names(world: &World, ids: &[String]) -> String {
    let model = world.model.lock();
    let name = |id: &String| model.place_of(id).map_or("nobody's".to_owned(), Model::name_of);
    ids.iter().map(name).collect::<Vec<_>>().join(" ")
}

async fn exchange(world: &Arc<World>, name: String, request: Request) {
    let Request { browser, process, ids, plan, travel, hangs_up, is_lost } = request;
    sleep(travel[0]).await;
    let served = {
        let (manager, server, ids) = (manager(world, process), Arc::clone(world), ids.clone());
        start(world, process, async move { serve(&server, &manager, &name, process, ids, &plan).await })
    };
    let abort = served.abort_handle();
    let answer = match hangs_up {
        None => served.await,
        Some(after) => match tokio::time::timeout(after, served).await {
            Ok(answer) => answer,
            // Whoever serves it notices that the client is gone.
            Err(_) => return abort.abort(),
        },
    };
    let told = match answer {
        Ok(told) => told,
        Err(end) => return world.note_end(&end),
    };
    sleep(travel[1]).await;
    if let (Some(browser), false) = (browser, is_lost) {
        world.browsers.lock()[browser].take(told);
    }
}

pub fn manager(world: &World, process: usize) -> SessionManager {
    world.processes.lock()[process].manager.clone()
}

/// Lets a process do something until it is done, or until the process crashes.
pub fn start<T: Send + 'static>(
    world: &World,
    process: usize,
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let task = tokio::spawn(task);
    let mut processes = world.processes.lock();
    let tasks = &mut processes[process].tasks;
    tasks.retain(|task| !task.is_finished());
    tasks.push(task.abort_handle());
    task
}

/// The place of the session of one request. Cancelled before the commit, nothing counts that the handler did.
struct Slot {
    visit: Visit,
    is_committed: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.is_committed {
            self.visit.close();
        }
    }
}

async fn serve(
    world: &Arc<World>,
    manager: &SessionManager,
    name: &str,
    process: usize,
    ids: Vec<String>,
    plan: &Plan,
) -> Told {
    let mut slot = Slot { visit: manager.visit(), is_committed: false };
    let mut presented = PresentedIds::default();
    ids.iter().for_each(|id| presented.push(id));
    if plan.only_looks {
        slot.visit.look_only();
    }
    let doing = Doing { process, ids, only_looks: plan.only_looks, ..Doing::default() };
    let began = world.model.lock().stamp();
    let mut handler = Handler { world: Arc::clone(world), name: name.to_owned(), doing, session: None, began };
    let (acts, after) = split(&plan.acts);
    let loads = acts != [Act::End];
    if loads && let Err(error) = open(&mut handler, &slot.visit, &presented).await {
        handler.fails("opening", &error);
        return Told::Nothing;
    }
    handler.run(&slot.visit, &presented, acts).await;
    if plan.only_looks {
        handler.drop_all();
    }
    // A stream keeps its handle, others let go of it.
    let session = if after.is_empty() { None } else { handler.session.take() };
    handler.session = None;
    slot.is_committed = true;
    let (mut handler, told) = commit(world, &mut slot.visit, handler).await;
    // After a 503 there is no body.
    if told.is_some() && session.is_some() {
        handler.session = session;
        handler.run(&slot.visit, &presented, after).await;
    }
    told.unwrap_or(Told::Nothing)
}

/// What happens before the response head leaves, and what after.
fn split(acts: &[Act]) -> (&[Act], &[Act]) {
    match acts.iter().position(|act| *act == Act::Answer) {
        Some(at) => (&acts[..at], &acts[at + 1..]),
        None => (acts, &[]),
    }
}

async fn open(handler: &mut Handler, visit: &Visit, presented: &PresentedIds) -> Result<(), Error> {
    let process = handler.doing.process;
    let began = {
        let mut model = handler.world.model.lock();
        (model.stamp(), model.clock(process))
    };
    handler.began = began.0;
    let session = match visit.open_now(presented) {
        Some(opened) => opened?,
        None => visit.open(presented).await?,
    };
    let seen = session.as_ref().map(seen);
    let mut model = handler.world.model.lock();
    let ids = handler.doing.ids.clone();
    let place = match handler.doing.only_looks {
        true => model.looked(process, &ids, began, seen.as_ref()),
        false => model.opened(process, &ids, began, seen.as_ref()),
    };
    handler.doing.looked_up = true;
    handler.doing.takes = place.filter(|place| !handler.doing.only_looks && model.is_offer(*place));
    if let Some(taken) = handler.doing.takes {
        model.all_replacing_begins(&mut handler.doing.replaces, taken);
    }
    (handler.doing.opened, handler.doing.place, handler.session) = (place, place, session);
    drop(model);
    handler.tell(|| match (place, &seen) {
        (Some(place), Some(seen)) => {
            format!("finds {}, {:?}, count {}", Model::name_of(place), seen.values, seen.count)
        }
        _ => "finds no session".to_owned(),
    });
    Ok(())
}

/// A session as a handler reads it.
pub fn seen(session: &Session) -> Seen {
    let number = |name: &str| session.attr::<u64>(name).ok().flatten();
    let user = |principal: Arc<str>| principal.strip_prefix("user").and_then(|user| user.parse().ok());
    Seen {
        id: session.id().as_str().to_owned(),
        lineage: session.constant::<usize>(Attr::LINEAGE).ok().flatten(),
        user: session.principal().and_then(user),
        values: Attr::ALL.map(|attr| number(attr.name())),
        count: number(Attr::COUNT).unwrap_or(0),
    }
}

/// Commits, in a task of its own where that has to wait: it goes on when the client hangs up.
async fn commit(world: &Arc<World>, visit: &mut Visit, mut handler: Handler) -> (Handler, Option<Told>) {
    let commit = world.model.lock().commit_begins(&mut handler.doing);
    if let Some(outcome) = visit.commit_now() {
        let told = settle(&mut handler, &commit, outcome, visit.has_lost_changes());
        return (handler, told);
    }
    let mut visit = visit.clone();
    let process = handler.doing.process;
    let task = start(world, process, async move {
        let outcome = visit.commit().await;
        let told = settle(&mut handler, &commit, outcome, visit.has_lost_changes());
        (handler, told)
    });
    match task.await {
        Ok(answer) => answer,
        Err(end) => {
            world.note_end(&end);
            // If the process has crashed, this task has as well.
            std::future::pending().await
        }
    }
}

fn settle(handler: &mut Handler, commit: &Commit, outcome: Result<Committed, Error>, lost: bool) -> Option<Told> {
    let world = Arc::clone(&handler.world);
    world.model.lock().commit_ended(&mut handler.doing, commit, &outcome, lost);
    let told = outcome.as_ref().ok().map(|committed| match committed {
        Committed::Issue(issued) => Told::Keep(issued.id.as_str().to_owned()),
        Committed::Forget => Told::Forget,
        Committed::Unchanged => Told::Nothing,
    });
    handler.tell(|| match &outcome {
        Ok(Committed::Issue(issued)) => {
            let place = world.model.lock().place_of(issued.id.as_str());
            format!("is told to keep {}", place.map_or_else(String::new, Model::name_of))
        }
        Ok(Committed::Forget) => "is told to forget its id".to_owned(),
        Ok(Committed::Unchanged) => "is answered".to_owned(),
        Err(error) => format!("is answered 503: {error}"),
    });
    told
}
