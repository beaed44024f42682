use std::time::{Duration, Instant};

use crate::postgres_server::PostgresServer;
use crate::proxy::Proxy;

/// A primary, a standby that follows it, and an address that leads to one of them.
pub struct PostgresPair {
    /// The primary at first.
    pub old: PostgresServer,
    /// The primary afterwards.
    pub new: PostgresServer,
    /// Where applications connect.
    pub address: Proxy,
}

impl PostgresPair {
    /// Starts both; `None` where PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        let old = PostgresServer::start()?;
        let new = old.start_standby();
        let address = Proxy::start(old.addr()).await.expect("there is a free port");
        Some(PostgresPair { old, new, address })
    }

    /// What a store that follows the address takes.
    pub fn url(&self) -> String {
        PostgresServer::url_at(self.address.addr())
    }

    /// Waits until the standby has everything.
    #[track_caller]
    pub fn wait(&self) {
        self.old.wait_for(&self.new);
    }

    /// From now on nothing is acknowledged that the standby does not have.
    #[track_caller]
    pub fn replicate_synchronously(&self) {
        self.old.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.old.sql("SELECT pg_reload_conf()");
        let replicates = "SELECT sync_state FROM pg_stat_replication";
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.old.sql(replicates).trim() != "sync" {
            assert!(Instant::now() < deadline, "the standby is not synchronous");
        }
        self.wait();
    }

    /// Promotes the standby, and moves the address there. Connections that are open stay where they are.
    #[track_caller]
    pub fn fail_over(&self) {
        self.new.promote();
        self.address.move_to(self.new.addr());
    }
}
