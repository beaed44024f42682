//! Before the first request, and after the last: nothing fails any more, and everything must be in order.

use std::sync::Arc;
use std::time::Duration;

use session_core::{PresentedIds, Record, SessionManager};
use tokio::time::sleep;

use crate::model::{Model, Place};
use crate::request::seen;
use crate::world::World;

/// An id that nobody has.
const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";

/// Long enough for all that was late, and for writers that wait.
const AFTER_ALL: Duration = Duration::from_secs(45);

/// Each store is told the time once: what ends sessions by their handle is told none.
pub async fn warm_up(world: &World) {
    let managers: Vec<SessionManager> = managers(world);
    for manager in managers {
        let _ = manager.get(NOBODY).await;
    }
}

fn managers(world: &World) -> Vec<SessionManager> {
    world.processes.lock().iter().map(|process| process.manager.clone()).collect()
}

/// All faults are over. Whatever was acknowledged must be there.
pub async fn settle(world: &Arc<World>) {
    world.backends.heal();
    sleep(AFTER_ALL).await;
    world.look();
    let managers = managers(world);
    for (process, manager) in managers.iter().enumerate() {
        audit(world, process, manager).await;
    }
    for (process, manager) in managers.iter().enumerate() {
        if let Err(error) = manager.close().await {
            world.model.lock().violate(&[], format!("P{process} can't be closed: {error}"));
        }
    }
    world.look();
    world.backends.look(|records| {
        let mut model = world.model.lock();
        records.for_each(|record: &Record| model.check_values(record));
    });
}

/// Presents every id that there ever was. No session has two, and one that is there is found.
async fn audit(world: &Arc<World>, process: usize, manager: &SessionManager) {
    let sessions = world.model.lock().lineages.len();
    for lineage in 0..sessions {
        let names = world.model.lock().lineages[lineage].names.len();
        let mut found = Vec::new();
        for name in 0..names {
            if present(world, process, manager, Place { lineage, name }).await {
                found.push(name);
            }
        }
        let mut model = world.model.lock();
        let is_ours = model.lineages[lineage].audience == world.setup.audience(process);
        let must_be_one = is_ours && model.lineages[lineage].start.done.is_some() && model.surely_lives(lineage);
        let most = if world.setup.renewals.is_some() { usize::MAX } else { 1 };
        if found.len() > most || must_be_one && found.is_empty() {
            let names: Vec<String> = found.iter().map(|name| Model::name_of(Place { lineage, name: *name })).collect();
            let what = format!("in the end #{lineage} has {} ids: {}", found.len(), names.join(", "));
            model.violate(&[lineage], what);
        }
        if model.violation.is_some() {
            return;
        }
    }
}

async fn present(world: &Arc<World>, process: usize, manager: &SessionManager, place: Place) -> bool {
    let (id, began, clock) = {
        let mut model = world.model.lock();
        let Some(id) = model.id(place) else { return false };
        (id, model.stamp(), model.clock(process))
    };
    let visit = manager.visit();
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    let opened = visit.open(&presented).await;
    visit.close();
    let mut model = world.model.lock();
    match opened {
        Ok(session) => {
            let seen = session.as_ref().map(seen);
            model.opened(process, &[id.as_str().to_owned()], (began, clock), seen.as_ref()).is_some()
        }
        Err(error) => {
            model.violate(&[place.lineage], format!("in the end a request fails: {error}"));
            false
        }
    }
}
