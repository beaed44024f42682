//! All tests of faults for one backend, declared at once.

use std::time::Duration;

/// How large a backend's tests are, and about how many bytes there are to cut.
pub struct Sizes {
    /// In a request that counts, and in its reply.
    pub counting: [u64; 2],
    /// In the requests of a renewal, and in their replies.
    pub renewing: [u64; 2],
    /// How many updates are cut, and how many renewals.
    pub cuts: usize,
    /// How many saves of half a megabyte are cut.
    pub large_cuts: usize,
    /// How many renewals are cancelled.
    pub cancelled_renewals: usize,
    /// How many other calls are cancelled.
    pub cancelled_calls: usize,
    /// How many clients cancel them at the same time.
    pub clients: u64,
    /// Within what time silence ends by itself; `None` where only a manager's time limit ends it.
    pub silence_ends_within: Option<Duration>,
}

/// Declares every test of [`store_faults`](crate::store_faults) for one backend.
///
/// Takes a future of `Option<(server, proxy, store)>`, where the server is whatever must be kept until the test
/// ends, and the backend's [`Sizes`](crate::store_fault_tests::Sizes).
#[macro_export]
macro_rules! store_fault_tests {
    ($behind_proxy:expr, $sizes:expr) => {
        #[tokio::test]
        async fn a_server_that_is_down_is_an_error_at_once_and_recovers() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::down_is_an_error_at_once_and_recovers(&store, &proxy).await;
        }

        #[tokio::test]
        async fn a_save_while_the_server_is_down_changes_nothing() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::save_while_down_changes_nothing(&store, &proxy).await;
        }

        #[tokio::test]
        async fn a_silent_server_is_an_error_within_the_time_limit() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::silence_is_an_error_within_the_time_limit(&store, &proxy).await;
        }

        #[tokio::test]
        async fn a_connection_that_stays_silent_is_given_up() {
            let Some(limit) = $sizes.silence_ends_within else { return };
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::silence_ends_without_a_manager(&store, &proxy, limit).await;
        }

        #[tokio::test]
        async fn hasty_callers_outlast_connections_that_stay_silent() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::hasty_callers_outlast_connections_that_stay_silent(&store, &proxy).await;
        }

        #[tokio::test]
        async fn a_connection_cut_anywhere_counts_no_update_twice() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            let (rounds, bytes) = ($sizes.cuts, $sizes.counting);
            $crate::store_faults::cut_connection_counts_no_update_twice(&store, &proxy, rounds, bytes).await;
        }

        #[tokio::test]
        async fn a_large_save_that_is_cut_is_old_or_new_and_never_mixed() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::cut_large_save_is_old_or_new(&store, &proxy, $sizes.large_cuts).await;
        }

        #[tokio::test]
        async fn a_renewal_cut_anywhere_leaves_exactly_one() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            let (rounds, bytes) = ($sizes.cuts, $sizes.renewing);
            $crate::store_faults::cut_renewal_leaves_exactly_one(&store, &proxy, rounds, bytes).await;
        }

        #[tokio::test]
        async fn a_renewal_cancelled_anywhere_leaves_exactly_one() {
            let Some((_server, _proxy, store)) = $behind_proxy.await else { return };
            $crate::store_faults::cancelled_renewal_leaves_exactly_one(&store, $sizes.cancelled_renewals).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn cancelled_calls_leave_nobody_anothers_reply() {
            let Some((_server, proxy, store)) = $behind_proxy.await else { return };
            let (clients, calls) = ($sizes.clients, $sizes.cancelled_calls);
            $crate::store_faults::cancelled_calls_leave_nobody_anothers_reply(&store, &proxy, clients, calls).await;
        }
    };
}
