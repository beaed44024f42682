//! What happens next: the actors of a world choose among what they can do.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use crate::admin;
use crate::clock::millis_of;
use crate::model::Place;
use crate::plan::Plan;
use crate::request::{Request, manager, send};
use crate::setup::{MOST_SKEW, Theme};
use crate::world::World;

/// Lets the next thing begin.
pub async fn next(world: &Arc<World>, rng: &mut Rng) {
    match rng.u8(0..100) {
        0..58 => one_request(world, rng),
        58..72 => several_at_once(world, rng),
        72..78 => attack(world, rng),
        78..82 => end_all(world, rng),
        82..84 => end_one(world, rng),
        84..86 => end_others(world, rng),
        86..88 => admin::list(world, process(world, rng), user(world, rng)),
        88..90 => admin::purge(world, process(world, rng)),
        90..94 => deadline(world, rng).await,
        94..97 => forget(world, rng),
        97..98 => crash(world, rng),
        98..99 => set_clock(world, rng),
        _ => plant(world, rng),
    }
}

fn process(world: &World, rng: &mut Rng) -> usize {
    rng.usize(0..world.setup.processes)
}

fn user(world: &World, rng: &mut Rng) -> usize {
    rng.usize(0..world.setup.users)
}

fn plan(world: &World, rng: &mut Rng, user: usize) -> Plan {
    let kind = rng.u8(0..100);
    // Themes make their own things more likely.
    if rng.bool() {
        match world.setup.theme {
            Theme::Renewing => return if kind < 70 { Plan::renew() } else { Plan::log_out(rng) },
            Theme::Logins => return if kind < 75 { Plan::sign_in(user, kind < 30) } else { Plan::renew() },
            Theme::Writing => return if kind < 60 { Plan::count() } else { Plan::write(rng) },
            Theme::Anything | Theme::Deadlines => {}
        }
    }
    match kind {
        0..14 => Plan::look(),
        14..18 => Plan::head(rng, user),
        18..30 => Plan::count(),
        30..48 => Plan::write(rng),
        48..60 => Plan::renew(),
        60..76 => Plan::sign_in(user, rng.bool()),
        76..80 => Plan::start_anonymous(rng),
        80..86 => Plan::log_out(rng),
        86..88 => Plan::switch(user),
        _ => Plan::odd(rng),
    }
}

fn one_request(world: &Arc<World>, rng: &mut Rng) {
    let browser = rng.usize(0..world.setup.browsers);
    let (user, is_stranger) = {
        let browsers = world.browsers.lock();
        (browsers[browser].user, browsers[browser].cookie.is_none())
    };
    let plan = match is_stranger {
        true if rng.u8(0..10) < 5 => Plan::sign_in(user, false),
        true if rng.bool() => Plan::start_anonymous(rng),
        _ => plan(world, rng, user),
    };
    send_from(world, rng, browser, plan);
}

/// Tabs of one browser, or all browsers, at the same moment.
fn several_at_once(world: &Arc<World>, rng: &mut Rng) {
    let one = rng.bool().then(|| rng.usize(0..world.setup.browsers));
    let user = user(world, rng);
    let same = rng.bool().then(|| plan(world, rng, user));
    for _ in 0..rng.usize(2..=5) {
        let browser = one.unwrap_or_else(|| rng.usize(0..world.setup.browsers));
        let plan = same.clone().unwrap_or_else(|| plan(world, rng, user));
        send_from(world, rng, browser, plan);
    }
}

fn send_from(world: &Arc<World>, rng: &mut Rng, browser: usize, plan: Plan) {
    let ids = world.browsers.lock()[browser].ids();
    if let Some(id) = ids.last()
        && rng.u8(0..12) == 0
    {
        world.stolen.lock().push(id.clone());
    }
    send_with(world, rng, Some(browser), ids, plan);
}

fn send_with(world: &Arc<World>, rng: &mut Rng, browser: Option<usize>, ids: Vec<String>, plan: Plan) {
    let longest = match rng.u8(0..20) {
        0 => 70_000,
        1 | 2 => 5000,
        _ => 20,
    };
    let plan = if rng.bool() { plan.slowly(rng, longest) } else { plan };
    let mut travel = || Duration::from_millis(if rng.bool() { 0 } else { rng.u64(0..=15) });
    let travel = [travel(), travel()];
    let hangs_up = (rng.u8(0..20) == 0).then(|| Duration::from_millis(rng.u64(0..=40)));
    let is_lost = rng.u8(0..30) == 0;
    send(world, Request { browser, process: process(world, rng), ids, plan, travel, hangs_up, is_lost });
}

/// Somebody who holds ids that were given to others, and made-up ones.
fn attack(world: &Arc<World>, rng: &mut Rng) {
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..rng.usize(1..=3) {
        let stolen = rng.choice(world.stolen.lock().iter()).cloned();
        ids.push(stolen.unwrap_or_else(|| made_up(rng)));
    }
    let user = user(world, rng);
    let plan = match rng.u8(0..10) {
        0..4 => Plan::look(),
        4..7 => Plan::write(rng),
        7 => Plan::renew(),
        8 => Plan::log_out(rng),
        _ => plan(world, rng, user),
    };
    send_with(world, rng, None, ids, plan);
}

/// An id that nobody was given.
fn made_up(rng: &mut Rng) -> String {
    (0..24).map(|_| rng.alphanumeric()).collect()
}

/// An id is planted in a browser: one that the attacker has, one of the attacker's own, or a made-up one. Or the browser
/// is cleaned.
fn plant(world: &Arc<World>, rng: &mut Rng) {
    let id = match rng.u8(0..3) {
        0 => rng.choice(world.stolen.lock().iter()).cloned(),
        1 => Some(made_up(rng)),
        _ => None,
    };
    let browser = rng.usize(0..world.setup.browsers);
    world.story.tell(&[], || format!("browser {browser} has another cookie now: {}", id.is_some()));
    world.browsers.lock()[browser].planted = id;
}

fn end_all(world: &Arc<World>, rng: &mut Rng) {
    admin::end_all(world, process(world, rng), user(world, rng));
    if world.setup.theme == Theme::Renewing {
        // Those who renew as fast as possible.
        for _ in 0..rng.usize(1..=6) {
            let browser = rng.usize(0..world.setup.browsers);
            send_from(world, rng, browser, Plan::renew());
        }
    }
}

fn end_others(world: &Arc<World>, rng: &mut Rng) {
    let browser = rng.usize(0..world.setup.browsers);
    let id = world.browsers.lock()[browser].cookie.clone();
    if let Some(id) = id {
        admin::end_others(world, process(world, rng), id);
    }
}

/// A session by one of its handles, old or new.
fn end_one(world: &Arc<World>, rng: &mut Rng) {
    if let Some(place) = any_place(world, rng) {
        admin::end(world, process(world, rng), place);
    }
}

fn any_place(world: &World, rng: &mut Rng) -> Option<Place> {
    let model = world.model.lock();
    let names = |(lineage, known): (usize, &crate::model::Lineage)| {
        (0..known.names.len()).map(move |name| Place { lineage, name })
    };
    let places: Vec<Place> = model.lineages.iter().enumerate().flat_map(names).collect();
    rng.choice(places)
}

fn forget(world: &Arc<World>, rng: &mut Rng) {
    if !world.setup.cache_forgets {
        return;
    }
    let keys: Vec<_> = {
        let model = world.model.lock();
        let names = model.lineages.iter().flat_map(|lineage| &lineage.names);
        names.filter_map(|name| Some(name.id.as_ref()?.key())).collect()
    };
    if let Some(what) = world.backends.forget(rng, &keys) {
        world.story.tell(&[], || what);
    }
}

/// A process ends in the middle of what it does, and starts again.
fn crash(world: &Arc<World>, rng: &mut Rng) {
    if !world.setup.crashes {
        return;
    }
    let process = process(world, rng);
    world.story.tell(&[], || format!("P{process} crashes"));
    let new = world.backends.start(process, world.clocks[process].clone(), rng.fork());
    let old = std::mem::replace(&mut world.processes.lock()[process], new);
    old.tasks.iter().for_each(|task| task.abort());
}

fn set_clock(world: &Arc<World>, rng: &mut Rng) {
    if !world.setup.clocks_jump {
        return;
    }
    let (process, skew) = (process(world, rng), rng.i64(-MOST_SKEW..=MOST_SKEW));
    world.story.tell(&[], || format!("the clock of P{process} is set to {skew} ms ahead"));
    world.model.lock().set_clock(process, skew);
}

/// Waits until a session is about to expire, and looks at it right before that or exactly then.
async fn deadline(world: &Arc<World>, rng: &mut Rng) {
    if world.is_busy() || rng.u8(0..4) != 0 && world.setup.theme != Theme::Deadlines {
        return;
    }
    let (Some(place), process) = (any_place(world, rng), process(world, rng)) else { return };
    let now = millis_of(manager(world, process).now());
    let deadline = world.model.lock().lineages[place.lineage].life.expired_from();
    let early = rng.i64(0..=1);
    if deadline - early > now {
        sleep(Duration::from_millis((deadline - early - now) as u64)).await;
        let Some(id) = world.model.lock().id(place) else { return };
        let travel = [Duration::ZERO; 2];
        let plan = if rng.bool() { Plan::look() } else { Plan::count() };
        send(
            world,
            Request {
                browser: None,
                process,
                ids: vec![id.as_str().to_owned()],
                plan,
                travel,
                hangs_up: None,
                is_lost: true,
            },
        );
    }
}
