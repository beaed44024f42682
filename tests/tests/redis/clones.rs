//! Clones that were given another prefix or codec.

use session_core::{EncryptedCodec, JsonCodec, Saved, Store};
use session_stores::TrackedRedisStore;
use workspace_tests::clones::{clones_share_no_session, opens_in_one_alone};
use workspace_tests::forgery::{Replaying, honest_codec, nothing_but_the_last_use_can_be_forged};
use workspace_tests::records::*;

use crate::support::*;

async fn tracked() -> Option<TrackedRedisStore> {
    let store = TrackedRedisStore::connect(&shared_server()?.url()).await.expect("the server runs");
    // Until the server has answered, no copy is served, and so none could be served to the wrong one.
    load(&store, &fresh_key()).await;
    Some(store)
}

#[tokio::test]
async fn clones_with_other_prefixes_share_no_session() {
    let Some(store) = single().await else { return };
    let [shop, staff] = ["shop:", "staff:"].map(|prefix| store.clone().with_prefix(prefix).unwrap());
    clones_share_no_session(&shop, &staff).await;
    clones_share_no_session(&store, &shop).await;
}

#[tokio::test]
async fn clones_with_other_codecs_share_no_session() {
    let Some(store) = single().await else { return };
    let [one, other] = [1, 2].map(|key| store.clone().with_codec(EncryptedCodec::new(&[key; 32])));
    opens_in_one_alone(&one, &other).await;
    opens_in_one_alone(&store, &one).await;
}

/// Each has copies of its own, made before the other asks.
#[tokio::test]
async fn tracked_clones_with_other_prefixes_share_no_session() {
    let Some(store) = tracked().await else { return };
    let [shop, staff] = ["shop:", "staff:"].map(|prefix| store.clone().with_prefix(prefix).unwrap());
    clones_share_no_session(&shop, &staff).await;
    clones_share_no_session(&store, &shop).await;
    clones_share_no_session(&shop.clone().strict(), &staff.strict()).await;
}

#[tokio::test]
async fn tracked_clones_with_other_codecs_share_no_session() {
    let Some(store) = tracked().await else { return };
    let [one, other] = [1, 2].map(|key| store.clone().with_codec(EncryptedCodec::new(&[key; 32])));
    opens_in_one_alone(&one, &other).await;
    opens_in_one_alone(&store, &one).await;
    opens_in_one_alone(&one.strict(), &other.strict()).await;
}

/// The server does not tell a connection of its own changes, so clones on one connection have to tell each other.
#[tokio::test]
async fn tracked_clones_of_one_prefix_see_each_others_changes() {
    let Some(store) = tracked().await else { return };
    let (here, there) = (store.clone(), store.with_codec(JsonCodec));
    let record = created(&here, fresh_record()).await;
    for store in [&here, &there, &here] {
        assert_eq!(load(store, &record.key).await, Some(record.clone()));
    }
    let saved = next(&record);
    assert_eq!(there.save(&saved, record.version).await.unwrap(), Saved::Done);
    assert_eq!(load(&here, &record.key).await, Some(saved.clone()));
    let used = with(saved, |record| record.accessed = record.accessed.saturating_add(MINUTE));
    there.touch(&record.key, used.accessed).await.unwrap();
    assert_eq!(load(&here, &record.key).await, Some(used));
    there.delete(&record.key).await.unwrap();
    assert_eq!(load(&here, &record.key).await, None);
}

#[tokio::test]
async fn nothing_encrypted_can_be_forged_at_the_server() {
    let codec = Replaying::begin();
    let Some(store) = single().await else { return };
    let (honest, forger) = (store.clone().with_codec(honest_codec()), store.with_codec(codec.clone()));
    nothing_but_the_last_use_can_be_forged(&honest, &forger, &codec).await;
    let Some(store) = tracked().await else { return };
    let (honest, forger) = (store.clone().with_codec(honest_codec()), store.with_codec(codec.clone()));
    nothing_but_the_last_use_can_be_forged(&honest, &forger, &codec).await;
}
