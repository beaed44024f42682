//! T22: sessions of tasks that outlive their request.

use std::time::Duration;

use super::events::Log;
use super::*;

async fn reads(sessions: &SessionManager, id: &SessionId, name: &str) -> Option<u32> {
    found(sessions, id).await?.attr(name).unwrap()
}

/// With a store that is waited for, and one that answers at once.
fn worlds() -> [(SessionManager, Arc<ManualClock>); 2] {
    [managed(faulty()), managed(FaultyStore::at_once(MemoryStore::new()))]
}

async fn ann(sessions: &SessionManager) -> SessionId {
    created(sessions, NewSession::new().principal("ann")).await.id()
}

#[tokio::test]
async fn a_detached_session_saves_whatever_becomes_of_its_request() {
    for (sessions, _) in worlds() {
        let id = ann(&sessions).await;
        for (n, end) in [Visit::close as fn(&Visit), Visit::abandon, Visit::discard, |_| {}].into_iter().enumerate() {
            let visit = request(&sessions, &id).await;
            let session = visit.session().unwrap();
            session.set_attr("Request", &n).unwrap();
            let detached = session.detach().unwrap();
            assert_eq!(detached.id(), id);
            detached.set_attr("Task", &n).unwrap();
            // Neither knows what the other has collected.
            assert_ne!(session.attr::<usize>("Task").unwrap(), Some(n));
            assert_ne!(detached.attr::<usize>("Request").unwrap(), Some(n));
            end(&visit);
            drop((session, visit));

            detached.save().await.unwrap();
            assert_eq!(detached.update_attr("Sum", |sum: Option<usize>| sum.unwrap_or(0) + 1).await.unwrap(), n + 1);
            assert_eq!(reads(&sessions, &id, "Task").await, u32::try_from(n).ok());
            assert_eq!(reads(&sessions, &id, "Request").await, None);
        }
    }
}

#[tokio::test]
async fn request_and_task_save_different_attributes_in_either_order() {
    for (sessions, _) in worlds() {
        let id = ann(&sessions).await;
        for task_first in [true, false] {
            let visit = request(&sessions, &id).await;
            let session = visit.session().unwrap();
            let detached = session.detach().unwrap();
            let n = u32::from(task_first);
            session.set_attr("Request", &n).unwrap();
            detached.set_attr("Task", &n).unwrap();
            if task_first {
                detached.save().await.unwrap();
            }
            assert_unchanged(answer(&visit).await);
            detached.save().await.unwrap();
            assert_eq!(
                (reads(&sessions, &id, "Request").await, reads(&sessions, &id, "Task").await),
                (Some(n), Some(n))
            );
        }
    }
}

#[tokio::test]
async fn a_detached_session_brings_back_nothing_that_has_ended() {
    for (sessions, clock) in worlds() {
        for end in ["by handle", "by its request", "by a login", "by time"] {
            let id = ann(&sessions).await;
            let visit = request(&sessions, &id).await;
            let session = visit.session().unwrap();
            let detached = session.detach().unwrap();
            detached.set_attr("Task", &1).unwrap();
            match end {
                "by handle" => assert!(sessions.end(&id.key()).await.unwrap()),
                "by its request" => session.remove(),
                "by a login" => drop(visit.start(NewSession::new().principal("bob")).unwrap()),
                _ => clock.advance(HOUR),
            }
            let _told = answer(&visit).await.unwrap();
            assert_gone(detached.save().await);
            assert_gone(detached.update_attr("Task", |n: Option<u32>| n.unwrap_or(0)).await);
            assert!(!is_alive(&sessions, &id).await, "{end}");
            assert_eq!(sessions.sessions_of("ann").await.unwrap(), []);
            for other in sessions.sessions_of("bob").await.unwrap() {
                assert_eq!(other.attr::<u32>("Task").unwrap(), None);
            }
        }
    }
}

#[tokio::test]
async fn changes_of_a_detached_session_arrive_where_it_was_renewed_to() {
    for (sessions, clock) in worlds() {
        let id = ann(&sessions).await;
        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        let early = session.detach().unwrap();
        session.renew_id().unwrap();
        let (within, beyond) = (session.detach().unwrap(), session.detach().unwrap());
        let renewed = issued(answer(&visit).await);

        early.set_attr("Early", &1).unwrap();
        early.save().await.unwrap();
        clock.advance(Duration::from_secs(59));
        within.update_attr("Within", |_: Option<u32>| 2).await.unwrap();
        assert_eq!(
            (reads(&sessions, &renewed, "Early").await, reads(&sessions, &renewed, "Within").await),
            (Some(1), Some(2))
        );
        clock.advance(Duration::from_secs(2));
        assert_gone(beyond.update_attr("Beyond", |_: Option<u32>| 3).await);
    }
}

#[tokio::test]
async fn a_session_that_is_not_stored_yet_is_not_detached_and_the_error_says_when_it_can_be() {
    for (sessions, _) in worlds() {
        let visit = sessions.visit();
        let session = visit.start(NewSession::new()).unwrap();
        let error = session.detach().unwrap_err();
        assert!(matches!(error, Error::NotStored) && error.to_string().contains("later request"), "{error}");
        let id = issued(answer(&visit).await);
        // The response head was sent.
        session.detach().unwrap().update_attr("Task", |_: Option<u32>| 1).await.unwrap();
        assert_eq!(reads(&sessions, &id, "Task").await, Some(1));

        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        let replacing = visit.start(NewSession::new()).unwrap();
        assert_gone(session.detach());
        assert!(matches!(replacing.detach(), Err(Error::NotStored)));
        visit.discard();
        visit.session().unwrap().remove();
        assert_gone(session.detach());
    }
}

#[tokio::test]
async fn a_detached_session_can_be_ended_and_not_renewed() {
    for (sessions, _) in worlds() {
        let id = ann(&sessions).await;
        let detached = request(&sessions, &id).await.session().unwrap().detach().unwrap();
        assert!(matches!(detached.renew_id(), Err(Error::HeadSent(_))));
        detached.remove();
        detached.save().await.unwrap();
        assert!(!is_alive(&sessions, &id).await);
    }
}

#[tokio::test]
async fn a_detached_session_that_is_dropped_with_unsaved_changes_leaves_one_warning() {
    let (log, _guard) = Log::capture();
    let sessions = sessions();
    let id = ann(&sessions).await;
    let visit = request(&sessions, &id).await;
    let detached = visit.session().unwrap().detach().unwrap();
    drop(detached.detach().unwrap());
    detached.set_attr("Task", &1).unwrap();
    assert_unchanged(answer(&visit).await);
    drop(visit);
    assert!(log.warnings().is_empty());
    drop(detached);
    assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
    assert!(log.warnings()[0].contains("save()"));
}
