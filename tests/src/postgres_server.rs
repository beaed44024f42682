use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::authority::{Authority, Certificate};
use crate::server_process::{ServerProcess, free_port, skip, wait_until_stopped};

/// A PostgreSQL server of a test's own, with its files in a folder of its own.
///
/// What it has acknowledged survives its being killed, but not a power failure.
pub struct PostgresServer {
    addr: SocketAddr,
    programs: PathBuf,
    folder: PathBuf,
    process: Option<ServerProcess>,
    _cleaner: Child,
}

/// Making the first files takes a second, and copying them little.
static EMPTY: OnceLock<PostgresServer> = OnceLock::new();

impl PostgresServer {
    /// An empty server; `None` where PostgreSQL is not installed.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let Some(programs) = installed() else {
            skip("postgres");
            return None;
        };
        let mut server = PostgresServer::without_files(programs);
        server.copy_files_of(EMPTY.get_or_init(|| server.never_started()));
        server.restart();
        Some(server)
    }

    /// A server with the files that one has at first.
    #[track_caller]
    fn never_started(&self) -> Self {
        let new = PostgresServer::without_files(self.programs.clone());
        let data = new.data();
        new.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N"]);
        new
    }

    #[track_caller]
    fn copy_files_of(&self, other: &Self) {
        let copied = Command::new("cp").args(["-a", &other.data(), &self.data()]).status();
        assert!(copied.expect("there is cp").success(), "the files can be copied");
    }

    #[track_caller]
    fn without_files(programs: PathBuf) -> Self {
        let addr = (Ipv4Addr::LOCALHOST, free_port()).into();
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        if is_root() {
            let chowned = Command::new("chown").arg("postgres").arg(&folder).status();
            assert!(chowned.expect("there is chown").success(), "the server's user exists");
        }
        let cleaner = remove_at_the_end(&folder);
        PostgresServer { addr, programs, folder, process: None, _cleaner: cleaner }
    }

    /// Starts a second server, which follows this one by streaming replication.
    #[track_caller]
    pub fn start_standby(&self) -> Self {
        let mut standby = PostgresServer::without_files(self.programs.clone());
        let url = format!("host=127.0.0.1 port={} user=postgres", self.addr.port());
        standby.run("pg_basebackup", &["-d", &url, "-D", &standby.data(), "-R", "-X", "stream", "-c", "fast"]);
        standby.restart();
        standby
    }

    /// Waits until a standby has everything that was written here.
    #[track_caller]
    pub fn wait_for(&self, standby: &PostgresServer) {
        let written = self.sql("SELECT pg_current_wal_lsn()");
        let deadline = Instant::now() + Duration::from_secs(30);
        while standby.sql(&format!("SELECT pg_last_wal_replay_lsn() >= '{}'", written.trim())).trim() != "t" {
            assert!(Instant::now() < deadline, "the standby does not follow");
        }
    }

    /// Makes a standby the primary.
    #[track_caller]
    pub fn promote(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "promote"]);
    }

    /// Starts this server, which was stopped, as a standby of another one.
    #[track_caller]
    pub fn restart_as_standby_of(&mut self, primary: &PostgresServer) {
        let settings = format!("primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n", primary.addr.port());
        let file = self.folder.join("data/postgresql.auto.conf");
        std::fs::write(&file, settings).expect("the file can be written");
        std::fs::write(self.folder.join("data/standby.signal"), "").expect("the file can be written");
        self.restart();
    }

    /// Stops every process of it where it is: its connections stay open, and new ones get no answer.
    #[track_caller]
    pub fn freeze(&self) {
        self.freeze_first();
        self.signal("-STOP");
        wait_until_stopped(&self.processes());
    }

    /// Stops the process that starts the others, so that they can be listed.
    #[track_caller]
    fn freeze_first(&self) {
        let first = Vec::from_iter(self.processes().into_iter().take(1));
        let _ = Command::new("kill").arg("-STOP").args(&first).output();
        wait_until_stopped(&first);
    }

    /// Stops the processes that serve the connections of now, and says how many those are. The server answers on new
    /// ones.
    #[track_caller]
    pub fn freeze_connections(&self) -> usize {
        let served =
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let processes = self.sql(served);
        let processes: Vec<&str> = processes.split_whitespace().collect();
        let stopped = Command::new("kill").arg("-STOP").args(&processes).status();
        assert!(stopped.expect("there is kill").success());
        wait_until_stopped(&processes);
        processes.len()
    }

    /// Lets a frozen server go on.
    #[track_caller]
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    #[track_caller]
    fn signal(&self, signal: &str) {
        // The first one first, so that it starts no others meanwhile.
        for process in self.processes() {
            // One may have ended by itself in between.
            let _ = Command::new("kill").args([signal, &process]).output();
        }
    }

    /// What a statement answers, as text.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        let port = self.addr.port().to_string();
        self.run("psql", &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-tAc", statement])
    }

    /// From now on its user `postgres` needs this password.
    #[track_caller]
    pub fn require_password(&mut self, password: &str) {
        self.sql(&format!("ALTER ROLE postgres PASSWORD '{password}'"));
        let rules = self.folder.join("data/pg_hba.conf");
        std::fs::write(rules, "host all all 127.0.0.1/32 scram-sha-256\n").expect("the file can be written");
        self.restart();
    }

    /// From now on it offers TLS with this certificate.
    #[track_caller]
    pub fn use_certificate(&mut self, certificate: &Certificate) {
        let data = self.folder.join("data");
        std::fs::copy(&certificate.file, data.join("server.crt")).expect("the file can be copied");
        self.copy_for_itself(&certificate.key, "server.key");
        self.set("ssl = on\n");
        self.stop();
        self.restart();
    }

    /// From now on it talks to nobody without TLS, and to nobody without a certificate of this authority, if there is
    /// one. The certificate's name is that of the user.
    #[track_caller]
    pub fn require_tls(&mut self, clients_of: Option<&Authority>) {
        let method = if clients_of.is_some() { "cert" } else { "trust" };
        let rules = self.folder.join("data/pg_hba.conf");
        std::fs::write(rules, format!("hostssl all all 127.0.0.1/32 {method}\n")).expect("the file can be written");
        if let Some(authority) = clients_of {
            self.copy_for_itself(&authority.file(), "clients.crt");
            self.set("ssl_ca_file = 'clients.crt'\n");
        }
        self.stop();
        self.restart();
    }

    fn set(&self, setting: &str) {
        let file = self.folder.join("data/postgresql.auto.conf");
        let settings = std::fs::read_to_string(&file).expect("the file can be read");
        std::fs::write(&file, settings + setting).expect("the file can be written");
    }

    /// PostgreSQL takes no key that anybody else can read.
    fn copy_for_itself(&self, file: &str, name: &str) {
        let copy = self.folder.join("data").join(name);
        std::fs::copy(file, &copy).expect("the file can be copied");
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        if is_root() {
            let chowned = Command::new("chown").arg("postgres").arg(&copy).status();
            assert!(chowned.expect("there is chown").success(), "the server's user exists");
        }
    }

    /// Where it listens, also after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What [`PostgresStore::connect`](session_stores::PostgresStore::connect) takes.
    pub fn url(&self) -> String {
        PostgresServer::url_at(self.addr)
    }

    /// The URL of a database other than the first.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.addr)
    }

    /// The URL of the server as it is reached through another address.
    pub fn url_at(addr: SocketAddr) -> String {
        format!("postgres://postgres@{addr}/postgres")
    }

    /// Kills every process of it, in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.freeze_first();
        let all = self.processes();
        // One may have ended by itself in between.
        let _ = Command::new("kill").arg("-9").args(&all).output();
        // Otherwise a server that starts again finds its memory in use.
        let deadline = Instant::now() + Duration::from_secs(10);
        while all.iter().any(|process| is_running(process)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.process = None;
    }

    /// Lets no file grow beyond so many bytes, until the server is told otherwise or restarted: it
    /// takes that as it takes a full disk, and needs nobody who may mount one.
    #[track_caller]
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        // Of what there are two limits, the server's user may raise the lower one again.
        let limit = format!("--fsize={limit}:");
        // The first one first, so that whatever it starts meanwhile has the limit too.
        for process in self.processes() {
            let mut command = as_its_user("prlimit");
            command.extend(["--pid".to_owned(), process, limit.clone()]);
            let output = Command::new(&command[0]).args(&command[1..]).output().expect("there is prlimit");
            let is_gone = || !Path::new("/proc").join(&command[command.len() - 2]).exists();
            assert!(output.status.success() || is_gone(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Stops it as an operator does, ending all connections.
    pub fn stop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "fast", "-w", "stop"]);
        self.process = None;
    }

    /// Kills it if it runs, and starts it again with the same files.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        // The lock of a server that was killed names a process id that may be anybody's by now.
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
        let (port, data) = (self.addr.port().to_string(), self.data());
        let mut command = self.command("postgres");
        command.extend(["-D", &data, "-h", "127.0.0.1", "-p", &port, "-k", ""].map(str::to_owned));
        for setting in ["fsync=off", "max_connections=200", "listen_addresses=127.0.0.1"] {
            command.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let is_ready = || {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port]).status().is_ok_and(|status| status.success())
        };
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        self.process = Some(ServerProcess::start(&command, is_ready));
    }

    /// Everything in the database, as text.
    pub fn dump(&self) -> String {
        let port = self.addr.port().to_string();
        self.run("pg_dump", &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "postgres"])
    }

    fn data(&self) -> String {
        self.folder.join("data").to_string_lossy().into_owned()
    }

    /// Those that run now, first the one that started the others.
    fn processes(&self) -> Vec<String> {
        let lock =
            self.process.as_ref().and_then(|_| std::fs::read_to_string(self.folder.join("data/postmaster.pid")).ok());
        let Some(postmaster) = lock.as_deref().and_then(|lock| lock.lines().next()) else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.unwrap_or_default();
        [postmaster].into_iter().chain(children.split_whitespace()).map(str::to_owned).collect()
    }

    fn command(&self, program: &str) -> Vec<String> {
        as_its_user(&self.programs.join(program).to_string_lossy())
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let command = self.command(program);
        let output = Command::new(&command[0]).args(&command[1..]).args(arguments).current_dir("/").output();
        let output = output.expect("the program can be run");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process is there, and is not only waited for.
fn is_running(process: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat"));
    state.is_ok_and(|state| state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X'])))
}

/// A command of the server's own user, as PostgreSQL refuses to run as root.
pub(crate) fn as_its_user(program: &str) -> Vec<String> {
    let user: &[&str] = if is_root() { &["runuser", "-u", "postgres", "--"] } else { &[] };
    user.iter().chain([&program]).map(ToString::to_string).collect()
}

/// Removes the folder when this process ends, because nobody drops what a static holds.
fn remove_at_the_end(folder: &Path) -> Child {
    // The server, which is killed at the same moment, may still write a last file.
    let script = r#"cat > /dev/null; sleep 1; rm -rf "$1""#;
    let mut cleaner = Command::new("sh");
    cleaner.args(["-c", script, "cleaner"]).arg(folder).stdin(Stdio::piped()).process_group(0);
    cleaner.spawn().expect("there is a shell")
}

const PROGRAMS: [&str; 7] = ["initdb", "pg_basebackup", "pg_ctl", "pg_dump", "pg_isready", "postgres", "psql"];

/// The folder of PostgreSQL's programs: on the path, or where Debian puts the newest.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    versions.sort();
    let mut folders = std::env::split_paths(&path).chain(versions.into_iter().rev());
    folders.find(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()))
}

pub(crate) fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}
