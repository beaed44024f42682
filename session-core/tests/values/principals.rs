//! B78: which principals there are.

use session_core::{Created, Error, MemoryStore, NewSession, SessionManager, Store};

use super::stores::managers;

#[tokio::test]
async fn an_empty_principal_is_refused_with_what_to_write_instead() {
    for managed in managers() {
        let refused = managed.sessions.create(NewSession::new().principal("")).await.map(drop);
        let Err(Error::Config(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.to_string(), "`principal` must not be empty; leave it out for a session without a user");
        // Nor later, in the same builder.
        let refused = managed.sessions.create(NewSession::new().principal("").principal("ann")).await;
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn any_other_principal_is_taken_as_it_is() {
    let long = "x".repeat(100_000);
    for managed in managers() {
        let sessions = &managed.sessions;
        for principal in [" ", "\0", "ann\0", "a\nb", "Zoë", "\"", &long] {
            let session = sessions.create(NewSession::new().principal(principal)).await.unwrap();
            let found = sessions.get(session.id().as_str()).await.unwrap().expect("it was created");
            assert_eq!(found.principal().as_deref(), Some(principal));
            sessions.end(&session.handle()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn principals_are_told_apart_by_each_character() {
    let sessions = &managers()[0].sessions;
    sessions.create(NewSession::new().principal("bob\0")).await.unwrap();
    sessions.create(NewSession::new().principal("bob ")).await.unwrap();
    assert_eq!(sessions.end_all_of("bob").await.unwrap(), 0);
    assert_eq!(sessions.end_all_of("bob ").await.unwrap(), 1);
    assert_eq!(sessions.sessions_of("bob\0").await.unwrap().len(), 1);
}

/// Nobody is found under an empty principal, and no anonymous session is. An earlier release took it, and its sessions
/// can still be listed and ended.
#[tokio::test]
async fn an_empty_principal_names_no_anonymous_session_but_those_of_an_earlier_release() {
    let store = MemoryStore::new();
    let sessions = SessionManager::builder(store.clone()).without_background_purge().build().unwrap();
    let anonymous = sessions.create(NewSession::new()).await.unwrap();
    assert!(sessions.sessions_of("").await.unwrap().is_empty());
    assert_eq!(sessions.end_all_of("").await.unwrap(), 0);
    assert!(sessions.get(anonymous.id().as_str()).await.unwrap().is_some());

    let old = sessions.create(NewSession::new().principal("to be changed")).await.unwrap();
    let mut record = store.load(&old.handle(), sessions.now()).await.unwrap().expect("it was created");
    store.delete(&record.key).await.unwrap();
    record.principal = Some("".into());
    assert_eq!(store.create(&record).await.unwrap(), Created::Done);
    assert_eq!(sessions.sessions_of("").await.unwrap().len(), 1);
    assert_eq!(sessions.end_all_of("").await.unwrap(), 1);
    assert!(sessions.get(old.id().as_str()).await.unwrap().is_none());
}
