//! Clones that were given another prefix or codec.

use session_core::EncryptedCodec;
use workspace_tests::clones::{clones_share_no_session, opens_in_one_alone};
use workspace_tests::forgery::{Replaying, honest_codec, nothing_but_the_last_use_can_be_forged};

use crate::support::*;

#[tokio::test]
async fn clones_with_other_prefixes_share_no_session() {
    let Some(store) = store().await else { return };
    let [shop, staff] = ["shop", "staff"].map(|name| store.clone().with_prefix(name).unwrap());
    clones_share_no_session(&shop, &staff).await;
    clones_share_no_session(&store, &shop).await;
}

#[tokio::test]
async fn clones_with_other_codecs_share_no_session() {
    let Some(store) = store().await else { return };
    let [one, other] = [1, 2].map(|key| store.clone().with_codec(EncryptedCodec::new(&[key; 32])));
    opens_in_one_alone(&one, &other).await;
    opens_in_one_alone(&store, &one).await;
}

#[tokio::test]
async fn nothing_encrypted_can_be_forged_at_the_server() {
    let Some(store) = store().await else { return };
    let codec = Replaying::begin();
    let (honest, forger) = (store.clone().with_codec(honest_codec()), store.with_codec(codec.clone()));
    nothing_but_the_last_use_can_be_forged(&honest, &forger, &codec).await;
}
