use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A server started by a test, which is killed when this is dropped, and also when the test's
/// process ends without dropping it, however that ends.
pub struct ServerProcess {
    watcher: Child,
    output: File,
}

/// Runs the server until its own standard input ends, then kills it, waits until it no longer has
/// its port, and kills its whole process group.
const WATCH: &str = r#""$@" & cat > /dev/null; kill -9 $!; wait; kill -9 0"#;

impl ServerProcess {
    /// Starts a server, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it is not ready within a minute, with what it printed.
    #[track_caller]
    pub fn start(command: &[&str], is_ready: impl Fn() -> bool) -> Self {
        let output = tempfile::tempfile().expect("a temporary file");
        let printed = || output.try_clone().expect("another handle of the file");
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(printed())
            .stderr(printed())
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_ready() {
            assert!(Instant::now() < deadline, "{} is not ready: {}", command[0], read(&output));
            std::thread::sleep(Duration::from_millis(5));
        }
        ServerProcess { watcher, output }
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        read(&self.output)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Does not move the place in the file, where the process goes on writing.
fn read(file: &File) -> String {
    let length = file.metadata().expect("the file is there").len();
    let mut text = vec![0; usize::try_from(length).expect("it fits into memory")];
    file.read_exact_at(&mut text, 0).expect("the file can be read");
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends a signal, such as `STOP`, to a process.
#[cfg(any(feature = "memcached", feature = "redis"))]
#[track_caller]
pub fn signal(name: &str, process: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "the process is there");
}

/// Returns when these processes have stopped, or ended: for a moment after the signal to stop they may still answer.
#[track_caller]
pub fn wait_until_stopped(processes: &[impl AsRef<str>]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    for process in processes.iter().map(AsRef::as_ref) {
        while !is_stopped(process) {
            assert!(Instant::now() < deadline, "process {process} goes on");
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Whether each thread of it has stopped. Where Linux does not tell, it counts as stopped.
fn is_stopped(process: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // After the name, which may have any character.
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
    })
}

/// A port that nobody listens on, and that no connection gets which leaves the port to the system: one that is made while
/// the server is down might be to itself. Nor does one get the port above it by 10,000, which a Redis of a cluster takes.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 10_000..20_000;
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Other test programs look for ports as well.
    let next = NEXT.get_or_init(|| AtomicU16::new(RandomState::new().hash_one(()) as u16));
    let ports = std::iter::repeat_with(|| PORTS.start + next.fetch_add(1, Ordering::Relaxed) % PORTS.len() as u16);
    let mut free = ports.take(PORTS.len()).filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().expect("there is a free port")
}

/// Whether a program is installed. Where it isn't, the test that needs it is skipped, which is
/// said aloud, and in CI is a failure.
#[track_caller]
pub fn is_installed(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        skip(program);
    }
    found
}

/// Says aloud that a test is skipped for want of a program.
#[track_caller]
pub fn skip(program: &str) {
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed, and CI skips nothing");
    say_skipped(&format!("{program} is not installed"));
}

/// Says aloud that a test is skipped for want of something that nobody can install, such as an address of IPv6.
pub fn skip_on_this_machine(missing: &str) {
    say_skipped(&format!("this machine has no {missing}"));
}

fn say_skipped(why: &str) {
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
