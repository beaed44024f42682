use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::server_process::{ServerProcess, free_port, is_installed};

/// A memcached of a test's own.
pub struct MemcachedServer {
    addr: SocketAddr,
    options: Vec<String>,
    process: Option<ServerProcess>,
}

impl MemcachedServer {
    /// `None` where memcached is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        MemcachedServer::start_with(&[])
    }

    /// With further options of the command line.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Option<Self> {
        if !is_installed("memcached") {
            return None;
        }
        let addr = (Ipv4Addr::LOCALHOST, free_port()).into();
        let options = options.iter().map(ToString::to_string).collect();
        let mut server = MemcachedServer { addr, options, process: None };
        server.restart();
        Some(server)
    }

    /// Where it listens, also after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What [`MemcachedStore::connect`](session_stores::MemcachedStore::connect) takes.
    pub fn url(&self) -> String {
        format!("memcached://{}", self.addr)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills it if it runs, and starts it again, empty.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let port = self.addr.port().to_string();
        let mut command = vec!["memcached", "-U", "0", "-l", "127.0.0.1", "-p", &port, "-u", "nobody"];
        command.extend(self.options.iter().map(String::as_str));
        self.process = Some(ServerProcess::start(&command, || TcpStream::connect(self.addr).is_ok()));
    }

    /// What it answers to a command of its line protocol.
    pub fn ask(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(self.addr).expect("the server runs");
        write!(connection, "{command}\r\nquit\r\n").expect("the server listens");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("the server answers");
        String::from_utf8_lossy(&answer).into_owned()
    }
}
