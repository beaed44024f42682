//! The handler of a request: it carries out a plan by the session's public interface.

use std::sync::Arc;

use session_core::{Error, NewSession, PresentedIds, Session, Visit};
use tokio::time::sleep;

use crate::model::{Attr, Doing, Life, Model};
use crate::plan::Act;
use crate::stamp::Stamp;
use crate::world::World;

/// A handler at work.
pub struct Handler {
    pub world: Arc<World>,
    pub name: String,
    pub doing: Doing,
    pub session: Option<Session>,
    /// When the request was taken.
    pub began: Stamp,
}

impl Handler {
    pub fn tell(&self, text: impl FnOnce() -> String) {
        let places = [self.doing.opened, self.doing.place, self.doing.started];
        let mut about: Vec<usize> = places.iter().flatten().map(|place| place.lineage).collect();
        if about.is_empty() {
            let model = self.world.model.lock();
            about = self.doing.ids.iter().filter_map(|id| model.place_of(id)).map(|place| place.lineage).collect();
            about.push(usize::MAX);
        }
        self.world.story.tell(&about, || format!("{} {}", self.name, text()));
    }

    /// Something was refused.
    pub fn fails(&mut self, what: &str, error: &Error) {
        self.tell(|| format!("{what} fails: {error}"));
        self.world.model.lock().check_error(&mut self.doing, self.began, error);
    }

    pub async fn run(&mut self, visit: &Visit, presented: &PresentedIds, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Pause(time) => sleep(*time).await,
                Act::End => {
                    visit.end(presented);
                    self.no_session();
                    self.doing.removes = true;
                }
                Act::SignIn { user, keep } => self.start(visit, Some(*user), *keep),
                Act::StartAnonymous if self.session.is_none() => self.start(visit, None, false),
                _ => {
                    if let Some(session) = self.session.clone() {
                        self.act(&session, *act).await;
                    }
                }
            }
        }
    }

    async fn act(&mut self, session: &Session, act: Act) {
        match act {
            Act::Set(attr) => self.set(session, attr),
            Act::Unset(attr) => self.unset(session, attr),
            Act::Count => self.count(session).await,
            Act::Save => self.save(session).await,
            Act::Renew => self.renew(session),
            Act::Remove => {
                session.remove();
                self.no_session();
                self.doing.removes = true;
            }
            Act::SetIdleTimeout(timeout) => {
                if session.set_idle_timeout(timeout).is_ok()
                    && let Some(place) = self.doing.place
                {
                    self.doing.sets_timeouts = true;
                    self.world.model.lock().set_idle(place.lineage, timeout.as_millis() as i64);
                }
            }
            Act::Discard => {
                session.discard();
                self.forget_plans();
            }
            Act::Abandon => {
                session.visit().abandon();
                self.forget_plans();
                self.session = None;
            }
            Act::Pause(_) | Act::End | Act::SignIn { .. } | Act::StartAnonymous | Act::Answer => {}
        }
    }

    /// All that the handler has collected is dropped.
    pub fn drop_all(&mut self) {
        self.forget_plans();
        self.doing.started = None;
    }

    /// The request has no session any more. What it has collected is dropped.
    fn no_session(&mut self) {
        self.doing.takes = None;
        self.world.model.lock().drop_writes(&mut self.doing);
        self.session = None;
        self.doing.place = None;
        if let Some(new) = self.doing.renews.take() {
            self.world.model.lock().never_given(new);
        }
    }

    /// What was collected is dropped, and the session is as it was found.
    fn forget_plans(&mut self) {
        self.doing.takes = None;
        let mut model = self.world.model.lock();
        model.drop_writes(&mut self.doing);
        if let Some(new) = self.doing.renews.take() {
            model.never_given(new);
        }
        (self.doing.removes, self.doing.place) = (false, self.doing.opened);
    }

    fn set(&mut self, session: &Session, attr: Attr) {
        let value = self.world.model.lock().next_value();
        match session.set_attr(attr.name(), &value) {
            Ok(()) => {
                self.world.model.lock().new_write(&mut self.doing, attr, false);
                self.tell(|| format!("sets {} to {value}", attr.name()));
            }
            Err(error) => self.fails("setting", &error),
        }
    }

    fn unset(&mut self, session: &Session, attr: Attr) {
        match session.remove_attr(attr.name()) {
            Ok(()) => {
                self.world.model.lock().new_write(&mut self.doing, attr, true);
                self.tell(|| format!("removes {}", attr.name()));
            }
            Err(error) => self.fails("removing an attribute", &error),
        }
    }

    async fn count(&mut self, session: &Session) {
        if self.doing.started.is_some() {
            return;
        }
        let began = self.world.model.lock().count_begins(&self.doing);
        let counted = session.update_attr(Attr::COUNT, |count: Option<u64>| count.unwrap_or(0) + 1).await;
        self.world.model.lock().saving_ended(&self.doing);
        match counted {
            Ok(number) => {
                self.world.model.lock().counted(&mut self.doing, began, number);
                self.tell(|| format!("counts to {number}"));
            }
            Err(error) => {
                self.tell(|| format!("counting fails: {error}"));
                self.world.model.lock().check_error(&mut self.doing, began, &error);
            }
        }
    }

    async fn save(&mut self, session: &Session) {
        if self.doing.started.is_some() {
            return;
        }
        let began = self.world.model.lock().save_begins(&self.doing);
        let saved = session.save().await;
        self.tell(|| match &saved {
            Ok(()) => "saves".to_owned(),
            Err(error) => format!("saving fails: {error}"),
        });
        self.world.model.lock().save_ended(&mut self.doing, began, saved.as_ref().copied());
    }

    fn renew(&mut self, session: &Session) {
        if self.doing.started.is_some() || self.doing.renews.is_some() {
            return;
        }
        match session.renew_id() {
            Ok(()) => {
                let mut model = self.world.model.lock();
                if let Some(place) = self.doing.opened {
                    // Renewed by another request, the session keeps the id that it has.
                    if model.place_of(session.id().as_str()).is_some() {
                        return;
                    }
                    let new = model.new_name(place.lineage, Some(session.id()));
                    self.doing.renews = Some(new);
                    drop(model);
                    self.tell(|| format!("asks to become {}", Model::name_of(new)));
                }
            }
            Err(error) => self.fails("renewing", &error),
        }
    }

    /// Starts a session: a login, or that of a visitor.
    fn start(&mut self, visit: &Visit, user: Option<usize>, keep: bool) {
        let World { model, setup, .. } = &*self.world;
        let mut model = model.lock();
        model.drop_writes(&mut self.doing);
        if let Some(new) = self.doing.renews.take() {
            model.never_given(new);
        }
        // What belongs to somebody else is not kept.
        let is_theirs = |lineage: usize| model.lineages[lineage].user.is_none_or(|owner| Some(owner) == user);
        let kept = self.doing.place.map(|place| place.lineage).filter(|lineage| keep && is_theirs(*lineage));
        let old = self.session.take().filter(|_| kept.is_some());
        let absolute = setup.absolute_timeout.map(|timeout| timeout.as_millis() as i64);
        let life = Life::new(model.clock(self.doing.process), setup.idle_timeout.as_millis() as i64, absolute);
        self.doing.takes = None;
        let lineage = model.new_lineage(user, kept, setup.audience(self.doing.process), life);
        let mut new = NewSession::new().constant(Attr::LINEAGE, &lineage);
        if let Some(user) = user {
            new = new.principal(Model::principal(user));
        }
        if let (Some(old), Some(kept)) = (&old, kept) {
            new = new.keep(old);
            model.keep_count(lineage, kept);
        }
        drop(model);
        match visit.start(new) {
            Ok(session) => {
                // An id that was asked for stays, and others may change until the session is stored.
                let asked_for = lineage.is_multiple_of(3).then(|| session.id());
                let place = self.world.model.lock().new_name(lineage, asked_for);
                (self.doing.started, self.doing.place) = (Some(place), Some(place));
                self.session = Some(session);
                self.tell(|| format!("starts {} of user {user:?}, keeping {kept:?}", Model::name_of(place)));
            }
            Err(error) => self.fails("starting", &error),
        }
    }
}
