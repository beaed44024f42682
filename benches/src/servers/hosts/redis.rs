use std::collections::HashSet;
use std::net::SocketAddr;

use super::{Server, ServerWork};
use crate::apps::Description;
use workspace_tests::RedisServer;

pub struct Redis {
    server: RedisServer,
    /// The commands that write, as the server says.
    writing: HashSet<String>,
}

impl Redis {
    pub fn start() -> Self {
        let server = RedisServer::start().expect("redis-server is installed");
        let names = server.ask(&["ACL", "CAT", "write"]);
        let writing = names.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect();
        Redis { server, writing }
    }

    /// Whether it has a command that writes, of this name.
    pub fn knows(&self, command: &str) -> bool {
        self.writing.contains(command)
    }
}

impl Server for Redis {
    fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    fn url(&self, addr: SocketAddr, _app: &Description) -> String {
        format!("redis://{addr}/")
    }

    /// Those of scripts included, but not the question itself.
    fn work_so_far(&self) -> Option<ServerWork> {
        let stats = self.server.ask(&["INFO", "commandstats"]);
        let mut work = ServerWork { commands: 0, writes: 0 };
        for line in stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
            let Some((command, counts)) = line.split_once(":calls=") else { continue };
            let calls: u64 = counts.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number");
            if command != "info" {
                work.commands += calls;
            }
            if self.writing.contains(command) {
                work.writes += calls;
            }
        }
        Some(work)
    }
}
