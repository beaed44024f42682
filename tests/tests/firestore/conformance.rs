session_core::conformance_tests!({
    let Some(store) = crate::support::store().await else { return };
    store
});

mod encrypted {
    session_core::conformance_tests!({
        let Some(store) = crate::support::store().await else { return };
        // Lists of the other suite would count records that it can't read.
        let store = store.with_collection("encrypted").expect("it is a name");
        store.with_codec(session_core::EncryptedCodec::new(&[7; 32]))
    });
}
