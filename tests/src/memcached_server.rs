use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::server_process::{ServerProcess, free_port, is_installed, signal, skip_on_this_machine, wait_until_stopped};

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
        MemcachedServer::of(Ipv4Addr::LOCALHOST.into(), options)
    }

    /// At this address, if the machine has it.
    #[track_caller]
    pub fn start_at(ip: IpAddr) -> Option<Self> {
        if TcpListener::bind((ip, 0)).is_err() {
            skip_on_this_machine(&ip.to_string());
            return None;
        }
        MemcachedServer::of(ip, &[])
    }

    #[track_caller]
    fn of(ip: IpAddr, options: &[&str]) -> Option<Self> {
        if !is_installed("memcached") {
            return None;
        }
        let addr = (ip, free_port()).into();
        let options = options.iter().map(ToString::to_string).collect();
        let mut server = MemcachedServer { addr, options, process: None };
        server.restart();
        Some(server)
    }

    /// On a Unix socket.
    #[track_caller]
    pub fn start_on_socket(path: &str) -> Option<ServerProcess> {
        let command = ["memcached", "-s", path, "-a", "0777", "-u", "root"];
        is_installed("memcached").then(|| ServerProcess::start(&command, || UnixStream::connect(path).is_ok()))
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
        let (ip, port) = (self.addr.ip().to_string(), self.addr.port().to_string());
        let mut command = vec!["memcached", "-U", "0", "-l", &ip, "-p", &port, "-u", "nobody"];
        command.extend(self.options.iter().map(String::as_str));
        self.process = Some(ServerProcess::start(&command, || TcpStream::connect(self.addr).is_ok()));
    }

    /// Starts it again, empty, with these options of the command line.
    #[track_caller]
    pub fn restart_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(ToString::to_string).collect();
        self.restart();
    }

    /// The keys of all items.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(keys) = self.try_keys() {
                return keys;
            }
            assert!(Instant::now() < deadline, "busy for a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// `None` while the server goes through its items for a reason of its own.
    fn try_keys(&self) -> Option<Vec<String>> {
        let mut connection = TcpStream::connect(self.addr).expect("the server runs");
        connection.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        // It does not hear a `quit` meanwhile.
        connection.write_all(b"lru_crawler metadump all\r\n").expect("the server listens");
        let mut keys = Vec::new();
        for line in BufReader::new(connection).lines() {
            let line = line.expect("the server answers");
            if line == "END" {
                return Some(keys);
            }
            if line.starts_with("BUSY") {
                return None;
            }
            keys.push(line["key=".len()..].split(' ').next().expect("there is a first word").to_owned());
        }
        panic!("the server hung up");
    }

    /// Stores so many items of this size, under the prefix and a number from `first` on; how many of them it took.
    pub fn store(&self, prefix: &str, size: usize, first: usize, count: usize) -> usize {
        let value = "x".repeat(size);
        let sets = (first..first + count).map(|number| format!("set {prefix}{number} 0 0 {size}\r\n{value}\r\n"));
        let answers = self.ask_for_bytes(sets.collect::<String>().as_bytes());
        String::from_utf8_lossy(&answers).lines().filter(|line| *line == "STORED").count()
    }

    /// Deletes these items.
    pub fn delete(&self, keys: &[String]) {
        for keys in keys.chunks(1000) {
            self.ask_for_bytes(keys.iter().map(|key| format!("delete {key}\r\n")).collect::<String>().as_bytes());
        }
    }

    /// Stops it without closing anything: what is sent to it waits until it goes on.
    pub fn freeze(&self) -> FrozenMemcached {
        let stats = self.ask("stats");
        let pid = stats.lines().find_map(|line| line.strip_prefix("STAT pid ")).expect("it says which process it is");
        let pid = pid.trim().to_owned();
        signal("STOP", &pid);
        wait_until_stopped(&[&pid]);
        FrozenMemcached(pid)
    }

    /// Copies an item, whatever is in it, to another key.
    pub fn copy(&self, from: &str, to: &str) {
        let got = self.ask_for_bytes(format!("get {from}\r\n").as_bytes());
        let head = got.iter().position(|byte| *byte == b'\n').expect("there is such an item") + 1;
        let value = &got[head..got.len() - b"\r\nEND\r\n".len()];
        let set = [format!("set {to} 0 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat();
        assert_eq!(self.ask_for_bytes(&set), b"STORED\r\n");
    }

    /// What it answers to a command of its line protocol.
    pub fn ask(&self, command: &str) -> String {
        String::from_utf8_lossy(&self.ask_for_bytes(format!("{command}\r\n").as_bytes())).into_owned()
    }

    fn ask_for_bytes(&self, command: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(self.addr).expect("the server runs");
        connection.write_all(&[command, b"quit\r\n"].concat()).expect("the server listens");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("the server answers");
        answer
    }
}

/// A server that goes on when this is dropped.
pub struct FrozenMemcached(String);

impl Drop for FrozenMemcached {
    fn drop(&mut self) {
        signal("CONT", &self.0);
    }
}
