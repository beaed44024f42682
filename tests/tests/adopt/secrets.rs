use session_axum::{SessionLayer, Store};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

use crate::support::{DAY, OURS, World, is, visitor};

/// P41: neither the old id nor the new one is in the store, the log or a `Debug`.
#[tokio::test]
async fn old_ids_are_stored_and_printed_nowhere() {
    const OLD_ID: &str = "a-secret-old-id-0123456789";
    let (log, _guard) = Log::capture();
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        world.old.put(OLD_ID, "ann", world.after(DAY));
        world.old.refuse_endings();
        let adoption = world.old.adoption();
        let mut printed = format!("{adoption:?}");
        let layer: SessionLayer = world.builder().adopt(adoption).build().unwrap();
        printed += &format!("{layer:?}");
        let sessions = layer.manager().clone();
        let app = crate::support::routes().layer(layer);
        let mut ann = visitor(&app, OLD_ID);
        is(&mut ann, "ann").await;
        is(&mut visitor(&app, OLD_ID), "ann").await;
        world.old.set_down(true);
        visitor(&app, OLD_ID).post("/logout").await;
        let records = kind.store.list(session_axum::Clock::now(&*world.clock), 100).await.unwrap();
        assert!(records.len() >= 2, "the session and a note");
        printed += &format!("{records:?}");
        let dump: String = records
            .iter()
            .flat_map(|record| {
                record.attributes.iter().chain(record.extensions.iter()).map(|(_, value)| value.to_string())
            })
            .collect();
        for secret in [OLD_ID, &*ann.jar[OURS]] {
            assert!(!printed.contains(secret) && !dump.contains(secret));
        }
        assert!(!log.text().contains(OLD_ID) && !log.text().contains(&*ann.jar[OURS]));
        let _ = sessions;
        let _ = Client::new(&app);
    }
    assert!(log.lines_with("could not be ended there") >= 1, "{}", log.text());
}
