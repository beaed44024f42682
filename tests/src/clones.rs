//! Clones of a store that were given another prefix, table, collection or codec.

use session_core::{NewSession, PrincipalKey, Saved, Store};

use crate::records::*;

/// Neither finds the other's sessions: not what it has loaded a moment ago, and not after either has changed.
pub async fn clones_share_no_session(here: &(impl Store + Clone), there: &(impl Store + Clone)) {
    let record = with(fresh_record(), |record| record.principal = Some(format!("ann of {}", record.key).into()));
    let principal = PrincipalKey::of(record.principal.as_deref().expect("somebody is signed in"));
    let mut record = created(here, record).await;
    for _ in 0..3 {
        // Loaded, so that a store that keeps copies has one now.
        assert_eq!(load(here, &record.key).await, Some(record.clone()));
        assert_eq!(load(there, &record.key).await, None, "it is a session of the other clone");
        if here.capabilities().principals {
            assert_eq!(there.of_principal(&principal, now()).await.unwrap(), []);
        }
        let saved = next(&record);
        let written = there.save(&saved, record.version).await.unwrap();
        assert_eq!(written, Saved::Missing);
        there.delete(&record.key).await.unwrap();
        there.touch(&record.key, now()).await.unwrap();
        assert_eq!(here.save(&saved, record.version).await.unwrap(), Saved::Done);
        record = saved;
    }
    opens_in_one_alone(here, there).await;
}

/// As applications do it, through managers, whose loads may not wait.
pub async fn opens_in_one_alone(here: &(impl Store + Clone), there: &(impl Store + Clone)) {
    let (here, there) = (manager(here), manager(there));
    let id = here.create(NewSession::new().principal("ann")).await.unwrap().id();
    for _ in 0..3 {
        assert!(here.get(id.as_str()).await.unwrap().is_some());
        assert!(there.get(id.as_str()).await.unwrap().is_none(), "signed in at the other clone");
    }
}
