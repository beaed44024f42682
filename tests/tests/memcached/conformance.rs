session_core::conformance_tests!({
    let Some(store) = crate::support::store().await else { return };
    store
});
