use std::net::SocketAddr;

use super::{Server, ServerWork};
use crate::apps::Description;
use workspace_tests::MemcachedServer;

pub struct Memcached(MemcachedServer);

impl Memcached {
    pub fn start() -> Self {
        Memcached(MemcachedServer::start().expect("memcached is installed"))
    }
}

impl Server for Memcached {
    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn url(&self, addr: SocketAddr, _app: &Description) -> String {
        format!("memcached://{addr}")
    }

    fn work_so_far(&self) -> Option<ServerWork> {
        let stats = self.0.ask("stats");
        let of = |name: &str| {
            let value = stats.lines().find_map(|line| line.strip_prefix(&format!("STAT {name} ")));
            value.map_or(0, |value| value.trim().parse::<u64>().expect("a number"))
        };
        let deletes = of("delete_hits") + of("delete_misses");
        let writes = of("cmd_set") + of("cmd_touch") + deletes;
        Some(ServerWork { commands: of("cmd_get") + writes, writes })
    }
}
