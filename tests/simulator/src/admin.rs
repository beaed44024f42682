//! What happens without a visitor: administrators, other services, the purge.

use std::sync::Arc;
use std::time::Duration;

use session_core::Error;

use crate::model::{Model, Place};
use crate::request::{manager, seen, start};
use crate::world::World;

/// A call that a process makes, until it is done or the process crashes.
fn call(
    world: &Arc<World>,
    process: usize,
    about: &[usize],
    what: String,
    task: impl Future<Output = String> + Send + 'static,
) {
    let name = format!("C{}", world.next_number());
    world.story.tell(about, || format!("{name} P{process} {what}"));
    let (caller, about) = (Arc::clone(world), about.to_vec());
    world.spawn(name.clone(), Duration::ZERO, async move {
        let task = start(&caller, process, task);
        match task.await {
            Ok(answer) => caller.story.tell(&about, || format!("{name} is answered: {answer}")),
            Err(end) => caller.note_end(&end),
        }
    });
}

/// Ends all sessions of a user.
pub fn end_all(world: &Arc<World>, process: usize, user: usize) {
    let (calling, manager) = (Arc::clone(world), manager(world, process));
    call(world, process, &[], format!("ends all sessions of user {user}"), async move {
        let ending = calling.model.lock().ending_all_begins(user, None);
        let ended = manager.end_all_of(&Model::principal(user)).await;
        calling.model.lock().ending_all_ended(&ending, ended.as_ref().copied());
        format!("{ended:?}")
    });
}

/// Ends all sessions of a user but the one that presents this id.
pub fn end_others(world: &Arc<World>, process: usize, id: String) {
    let (calling, manager) = (Arc::clone(world), manager(world, process));
    let Some(place) = world.model.lock().place_of(&id) else { return };
    call(world, process, &[], format!("ends all others beside {}", Model::name_of(place)), async move {
        let mut replaces = Vec::new();
        let (began, clock) = {
            let mut model = calling.model.lock();
            model.using_begins(place.lineage);
            let clock = model.clock(process);
            // Without a request there is no commit that notes it: `get` does.
            model.taking_begins(place, process, clock);
            model.all_replacing_begins(&mut replaces, place);
            (model.stamp(), clock)
        };
        let got = manager.get(&id).await;
        {
            let mut model = calling.model.lock();
            model.using_ended(place.lineage);
            let now = model.stamp();
            model.all_replacing_ended(&mut replaces, now);
        }
        let session = match got {
            Ok(session) => session,
            Err(error) => return calling.fails(began, &error),
        };
        let seen = session.as_ref().map(seen);
        let found = calling.model.lock().opened(process, &[id], (began, clock), seen.as_ref());
        let (Some(session), Some(found)) = (session, found) else { return "there is none".to_owned() };
        let Some(user) = calling.model.lock().lineages[found.lineage].user else { return "it is nobody's".to_owned() };
        let ending = calling.model.lock().ending_all_begins(user, Some(found));
        let ended = manager.end_others(&session).await;
        calling.model.lock().ending_all_ended(&ending, ended.as_ref().copied());
        format!("{ended:?}")
    });
}

/// Ends one session by its handle.
pub fn end(world: &Arc<World>, process: usize, place: Place) {
    let (calling, manager) = (Arc::clone(world), manager(world, process));
    let what = format!("ends {} by its handle", Model::name_of(place));
    let Some(id) = world.model.lock().id(place) else { return };
    call(world, process, &[place.lineage], what, async move {
        let began = calling.model.lock().end_begins(place);
        let ended = manager.end(&id.key()).await;
        calling.model.lock().end_ended(place, began, ended.as_ref().map(|_| ()));
        format!("{ended:?}")
    });
}

/// Lists a user's sessions.
pub fn list(world: &Arc<World>, process: usize, user: usize) {
    let (calling, manager) = (Arc::clone(world), manager(world, process));
    call(world, process, &[], format!("lists the sessions of user {user}"), async move {
        let began = calling.model.lock().stamp();
        match manager.sessions_of(&Model::principal(user)).await {
            Ok(records) => {
                calling.model.lock().check_list(Some(user), began, &records);
                format!("{} sessions", records.len())
            }
            Err(error) => calling.fails(began, &error),
        }
    });
}

/// Deletes what has expired.
pub fn purge(world: &Arc<World>, process: usize) {
    let (calling, manager) = (Arc::clone(world), manager(world, process));
    call(world, process, &[], "purges".to_owned(), async move {
        let began = calling.model.lock().stamp();
        match manager.purge_expired(Duration::from_secs(60)).await {
            Ok(purged) => format!("{} had expired", purged.expired),
            Err(error) => calling.fails(began, &error),
        }
    });
}

impl World {
    fn fails(&self, began: crate::stamp::Stamp, error: &Error) -> String {
        self.model.lock().check_failure(&[], began, error);
        format!("{error}")
    }
}
