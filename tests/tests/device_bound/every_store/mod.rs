//! A thief, and two processes, on every store that several processes can share.

mod processes;
mod shared_store;
mod site;
mod thief;

use shared_store::SharedStore;
use site::Site;

macro_rules! thief_on {
    ($store:expr) => {
        #[tokio::test]
        async fn a_thief_of_everything_is_refused_after_the_window() {
            let Some(store) = $store else { return };
            super::thief::of_everything_is_refused_after_the_window(&store).await;
        }
    };
}

/// Declares the tests for one store.
macro_rules! on {
    ($name:ident, $store:expr) => {
        mod $name {
            use super::SharedStore;

            thief_on!($store);

            #[tokio::test]
            async fn what_one_process_has_bound_another_goes_on_with_at_once() {
                let Some(store) = $store else { return };
                super::processes::go_on_with_what_another_has_bound(&store).await;
            }
        }
    };
}

on!(memory, SharedStore::memory());
on!(sqlite, SharedStore::sqlite());
on!(postgres, SharedStore::postgres());
on!(redis, SharedStore::redis());
on!(strict_redis, SharedStore::strict_redis());
on!(redis_cluster, SharedStore::redis_cluster());
on!(memcached, SharedStore::memcached());
on!(firestore, SharedStore::firestore());
on!(redis_before_postgres, SharedStore::redis().and_then(|fast| fast.before(SharedStore::postgres())));
on!(redis_long_before_postgres, SharedStore::redis().and_then(|fast| fast.long_before(SharedStore::postgres())));
on!(memcached_before_sqlite, SharedStore::memcached().and_then(|fast| fast.before(SharedStore::sqlite())));
on!(memcached_long_before_sqlite, SharedStore::memcached().and_then(|fast| fast.long_before(SharedStore::sqlite())));

/// Its copies may be a second late, so another process goes on with nothing at once.
mod tracked_redis {
    use super::SharedStore;

    thief_on!(SharedStore::tracked_redis());
}
