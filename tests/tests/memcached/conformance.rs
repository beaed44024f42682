session_core::conformance_tests!({
    let Some(store) = crate::support::store().await else { return };
    store
});

mod encrypted {
    session_core::conformance_tests!({
        let Some(store) = crate::support::store().await else { return };
        store.with_codec(session_core::EncryptedCodec::new(&[7; 32]))
    });
}
