use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::authority::{Authority, Certificate};
use crate::server_process::{ServerProcess, free_port, is_installed, signal, skip, wait_until_stopped};

/// A server of Redis, or of Valkey, of a test's own, with its files in a folder of its own.
pub struct RedisServer {
    program: String,
    addr: SocketAddr,
    /// Where it listens for TLS, if it does.
    encrypted_port: Option<u16>,
    folder: TempDir,
    options: Vec<String>,
    process: Option<ServerProcess>,
    /// What the system calls the process.
    pid: String,
}

const FORGETFUL: [&str; 2] = ["--save", ""];
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

impl RedisServer {
    /// A server that is empty after a restart; `None` where Redis is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        RedisServer::start_with(&FORGETFUL)
    }

    /// A server that has on disk whatever it has acknowledged.
    #[track_caller]
    pub fn start_durable() -> Option<Self> {
        RedisServer::start_with(&DURABLE)
    }

    /// A server with options of the command line: of the program that the environment variable `REDIS_SERVER` names, or
    /// Redis.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Option<Self> {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        RedisServer::of(&program, options, None)
    }

    /// A server with this certificate, on a port beside the one without TLS. Where it talks to other servers, it does so
    /// by TLS. `None` where there is no Redis with TLS. Valkey of PyPI was built without, so Redis takes its place.
    #[track_caller]
    pub fn start_encrypted(certificate: &Certificate, authority: &Authority, options: &[&str]) -> Option<Self> {
        let programs = [std::env::var("REDIS_SERVER").unwrap_or_default(), "redis-server".to_owned()];
        let Some(program) = programs.into_iter().find(|program| has_tls(program)) else {
            skip("redis-server with TLS");
            return None;
        };
        let port = free_redis_port();
        let (file, encrypted_port) = (authority.file(), port.to_string());
        let tls = ["--tls-port", &encrypted_port, "--tls-cert-file", &certificate.file, "--tls-key-file"];
        let tls = [&tls[..], &[&certificate.key, "--tls-ca-cert-file", &file]].concat();
        let among_servers = ["--tls-auth-clients", "no", "--tls-replication", "yes", "--tls-cluster", "yes"];
        // What the test says comes last, and counts, but for the file of a sentinel.
        let is_file = options.first().is_some_and(|first| !first.starts_with("--"));
        let (file_of_options, options) = options.split_at(usize::from(is_file));
        let options = [file_of_options, &tls, &among_servers, options].concat();
        RedisServer::of(&program, &options, Some(port))
    }

    /// A server of Valkey; `None` where that is not installed.
    #[track_caller]
    pub fn start_valkey() -> Option<Self> {
        RedisServer::of("valkey-server", &FORGETFUL, None)
    }

    #[track_caller]
    fn of(program: &str, options: &[&str], encrypted_port: Option<u16>) -> Option<Self> {
        if !is_installed(program) {
            return None;
        }
        let addr = (Ipv4Addr::LOCALHOST, free_redis_port()).into();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = options.iter().map(ToString::to_string).collect();
        let (program, pid) = (program.to_owned(), String::new());
        let mut server = RedisServer { program, addr, encrypted_port, folder, options, process: None, pid };
        server.restart();
        Some(server)
    }

    /// Where it listens, also after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What [`RedisStore::connect`](session_stores::RedisStore::connect) takes.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// The port on which it expects TLS.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn encrypted_port(&self) -> u16 {
        self.encrypted_port.expect("it was started with a certificate")
    }

    /// The port that other servers talk to.
    fn port_for_servers(&self) -> String {
        self.encrypted_port.unwrap_or(self.addr.port()).to_string()
    }

    /// Kills it, in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills it if it runs, and starts it again with the same files.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let (port, folder) = (self.addr.port().to_string(), self.folder.path().to_string_lossy());
        let mut command = vec![&*self.program];
        // A sentinel takes its file first.
        command.extend(self.options.iter().map(String::as_str));
        command.extend(["--bind", "127.0.0.1", "--port", &port, "--dir", &folder]);
        let is_ready =
            || self.try_ask(&["PING"]).is_ok_and(|answer| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH"));
        self.process = Some(ServerProcess::start(&command, is_ready));
        // Where a password is needed, it stays unknown.
        let info = self.ask(&["INFO", "server"]);
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        self.pid = pid.unwrap_or_default().trim().to_owned();
    }

    /// Stops it without closing anything: what is sent to it waits until it goes on.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal("STOP");
        wait_until_stopped(&[&self.pid]);
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    #[track_caller]
    fn signal(&self, name: &str) {
        assert!(!self.pid.is_empty(), "the server said which process it is");
        signal(name, &self.pid);
    }

    /// Whether it says that it takes writes. A sentinel that changes its role hangs up on whoever asks.
    pub fn is_master(&self) -> bool {
        self.try_ask(&["INFO", "replication"]).is_ok_and(|answer| answer.contains("role:master"))
    }

    /// Its answer to a command, as it comes over the wire.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).expect("the server answers")
    }

    /// How many commands of this name it has carried out, those of scripts included.
    #[track_caller]
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.ask(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
    }

    fn try_ask(&self, words: &[&str]) -> std::io::Result<String> {
        let mut connection = TcpStream::connect(self.addr)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command += &format!("${}\r\n{word}\r\n", word.len());
        }
        connection.write_all(command.as_bytes())?;
        // Not before the answer begins: Valkey forgets whoever hangs up while it waits for its replicas.
        let mut answer = vec![0; 4096];
        let begun = connection.read(&mut answer)?;
        answer.truncate(begun);
        // The server answers what it has got, and then hangs up as well.
        connection.shutdown(Shutdown::Write)?;
        connection.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// A cluster of three masters.
pub struct RedisCluster {
    /// The masters.
    pub servers: Vec<RedisServer>,
    /// What takes the place of a master that is gone: one of each, in the same order, or none.
    pub replicas: Vec<RedisServer>,
}

const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl RedisCluster {
    /// A cluster of a test's own; `None` where Redis is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let cluster = RedisCluster { servers: RedisCluster::nodes(RedisServer::start_with)?, replicas: Vec::new() };
        cluster.join();
        Some(cluster)
    }

    /// One whose servers have this certificate; `None` where there is no Redis with TLS.
    #[track_caller]
    pub fn start_encrypted(certificate: &Certificate, authority: &Authority) -> Option<Self> {
        let start = |options: &[&str]| RedisServer::start_encrypted(certificate, authority, options);
        let cluster = RedisCluster { servers: RedisCluster::nodes(start)?, replicas: Vec::new() };
        cluster.join();
        Some(cluster)
    }

    /// One of three masters and three replicas.
    #[track_caller]
    pub fn start_with_replicas() -> Option<Self> {
        let nodes = || RedisCluster::nodes(RedisServer::start_with);
        let cluster = RedisCluster { servers: nodes()?, replicas: nodes()? };
        cluster.join();
        for (master, replica) in cluster.servers.iter().zip(&cluster.replicas) {
            let id = master.ask(&["CLUSTER", "MYID"]).lines().nth(1).expect("an id").to_owned();
            wait_until("the replica knows its master", || replica.ask(&["CLUSTER", "REPLICATE", &id]).contains("+OK"));
        }
        wait_until("every master knows its replica", || {
            let is_replicated = |server: &RedisServer| server.ask(&["INFO", "replication"]).contains("state=online");
            cluster.servers.iter().all(is_replicated)
        });
        Some(cluster)
    }

    fn nodes(start: impl Fn(&[&str]) -> Option<RedisServer>) -> Option<Vec<RedisServer>> {
        SLOTS.iter().map(|_| start(&RedisCluster::options())).collect()
    }

    fn options() -> Vec<&'static str> {
        [&FORGETFUL[..], &["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]].concat()
    }

    /// One more master, which has no slots yet.
    #[track_caller]
    pub fn another_master(&self) -> Option<RedisServer> {
        let another = RedisServer::start_with(&RedisCluster::options())?;
        another.ask(&["CLUSTER", "MEET", "127.0.0.1", &self.servers[0].port_for_servers()]);
        let nodes = format!("cluster_known_nodes:{}", self.servers.len() + 1);
        let knows_all = |server: &RedisServer| {
            let info = server.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains(&nodes)
        };
        wait_until("the new master is known", || self.servers.iter().chain([&another]).all(knows_all));
        Some(another)
    }

    /// Waits until the replicas have as many keys as their masters.
    #[track_caller]
    pub fn wait_until_replicated(&self) {
        for (master, replica) in self.servers.iter().zip(&self.replicas) {
            let keys = master.ask(&["DBSIZE"]);
            wait_until("the replica has every key", || replica.ask(&["DBSIZE"]) == keys);
        }
    }

    /// One that all tests of this process share.
    #[track_caller]
    pub fn shared() -> Option<&'static RedisCluster> {
        static SHARED: OnceLock<Option<RedisCluster>> = OnceLock::new();
        SHARED.get_or_init(RedisCluster::start).as_ref()
    }

    /// The URLs of its masters.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// Waits until every server says that the cluster works.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        wait_until("the cluster works", || self.is_ready());
    }

    fn is_ready(&self) -> bool {
        self.servers.iter().chain(&self.replicas).all(|server| {
            let info = server.ask(&["CLUSTER", "INFO"]);
            let nodes = format!("cluster_known_nodes:{}", self.servers.len() + self.replicas.len());
            info.contains("cluster_state:ok") && info.contains(&nodes)
        })
    }

    #[track_caller]
    fn join(&self) {
        for (epoch, server) in (1..).zip(self.servers.iter().chain(&self.replicas)) {
            server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")]);
        }
        for (server, (first, last)) in self.servers.iter().zip(SLOTS) {
            server.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        let first = self.servers[0].port_for_servers();
        // On a busy machine a server gives up to meet another, and must be told again.
        for _ in 0..4 {
            for server in self.servers[1..].iter().chain(&self.replicas) {
                server.ask(&["CLUSTER", "MEET", "127.0.0.1", &first]);
            }
            if is_soon(Duration::from_secs(15), || self.is_ready()) {
                return;
            }
        }
        self.wait_until_ready();
    }
}

/// A master, its replica, and a sentinel that makes the replica master when the master is gone.
pub struct RedisSentinel {
    /// The master at first.
    pub master: RedisServer,
    /// What takes its place.
    pub replica: RedisServer,
    /// Who knows which of them is master.
    pub sentinel: RedisServer,
}

impl RedisSentinel {
    /// The name that the sentinel knows the master by.
    pub const MASTER: &str = "sessions";

    /// `None` where Redis is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        RedisSentinel::of(RedisServer::start_with)
    }

    /// Where all of them have this certificate; `None` where there is no Redis with TLS.
    #[track_caller]
    pub fn start_encrypted(certificate: &Certificate, authority: &Authority) -> Option<Self> {
        RedisSentinel::of(|options| RedisServer::start_encrypted(certificate, authority, options))
    }

    #[track_caller]
    fn of(start: impl Fn(&[&str]) -> Option<RedisServer>) -> Option<Self> {
        let master = start(&FORGETFUL)?;
        let port = master.port_for_servers();
        let replica = start(&[&FORGETFUL[..], &["--replicaof", "127.0.0.1", &port]].concat())?;
        let name = RedisSentinel::MASTER;
        let config = master.folder.path().join("sentinel.conf");
        let monitor = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {name} 2000\n\
             sentinel failover-timeout {name} 3000\n"
        );
        std::fs::write(&config, monitor).expect("the temporary folder is writable");
        let sentinel = start(&[&config.to_string_lossy(), "--sentinel"])?;
        wait_until("the sentinel knows the replica", || {
            replica.ask(&["INFO", "replication"]).contains("master_link_status:up")
                && sentinel.ask(&["SENTINEL", "MASTER", name]).contains("num-slaves\r\n$1\r\n1")
        });
        Some(RedisSentinel { master, replica, sentinel })
    }

    /// Whether the sentinel names the replica as the master, without a doubt.
    #[track_caller]
    pub fn has_switched(&self) -> bool {
        // `GET-MASTER-ADDR-BY-NAME` would name it before the failover is over.
        let master = self.sentinel.ask(&["SENTINEL", "MASTER", RedisSentinel::MASTER]);
        let port = self.replica.port_for_servers();
        let field =
            |name: &str, value: &str| master.contains(&format!("\r\n{name}\r\n${}\r\n{value}\r\n", value.len()));
        field("port", &port) && field("flags", "master")
    }

    /// Waits until the replica has as many keys as the master. `WAIT` would not do: it is about what
    /// was written on its own connection.
    #[track_caller]
    pub fn wait_until_replicated(&self) {
        let keys = self.master.ask(&["DBSIZE"]);
        wait_until("the replica has every key", || self.replica.ask(&["DBSIZE"]) == keys);
    }
}

/// Whether the program was built with TLS. Then it misses a certificate; otherwise it does not know the option.
fn has_tls(program: &str) -> bool {
    let tried = Command::new(program).args(["--port", "0", "--tls-port", "1"]).output();
    tried.is_ok_and(|tried| String::from_utf8_lossy(&[tried.stdout, tried.stderr].concat()).contains("configure TLS"))
}

/// A port that nobody listens on, nor on the one 10,000 higher, where a cluster's servers talk to
/// each other.
fn free_redis_port() -> u16 {
    loop {
        let port = free_port();
        if port < 55_000 {
            return port;
        }
    }
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    assert!(is_soon(Duration::from_secs(60), is_so), "not in a minute: {what}");
}

/// Waits until something is so. `false` if that takes longer than this.
fn is_soon(within: Duration, is_so: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() >= within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
