//! Requests over HTTP: each application in a process of its own on the first core, wrk on the
//! second, and before each measurement of a library one of its framework alone.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::apps::{self, Work};
use crate::figure;

const VISITORS: &str = "1000";
const CONNECTIONS: &str = "32";
const WORKS: [Work; 2] = [Work::Read, Work::Count];
/// The clock of /proc/PID/stat, which is the same on every Linux machine.
const TICKS_PER_SECOND: f64 = 100.0;

pub fn run(rounds: usize, seconds: u32, only: Option<&str>) {
    let apps = apps::ALL.iter().filter(|app| app.name == app.bare || only.is_none_or(|only| only == app.name));
    let servers: Vec<Server> = apps.enumerate().map(|(n, app)| Server::start(app, 18_100 + n as u16)).collect();
    for server in &servers {
        server.measure(Work::Count, 1);
    }
    for _ in 0..rounds {
        for work in WORKS {
            for server in servers.iter().filter(|server| !server.is_bare()) {
                let bare = servers.iter().find(|bare| bare.app.name == server.app.bare).expect("it is served too");
                let alone = bare.measure(work, seconds);
                let taken = server.measure(work, seconds);
                let print = |measure: &str, value| figure::print("http", server.app.name, work.name(), measure, value);
                for (whose, taken) in [("bare ", &alone), ("", &taken)] {
                    print(&format!("{whose}requests/s"), taken.per_second);
                    print(&format!("{whose}p50 us"), taken.p50_us);
                    print(&format!("{whose}p99 us"), taken.p99_us);
                    print(&format!("{whose}cpu us"), taken.cpu_us);
                    print(&format!("{whose}user us"), taken.user_us);
                }
                print("ratio", taken.per_second / alone.per_second);
            }
        }
    }
}

struct Taken {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Of the server, per request.
    cpu_us: f64,
    /// The part of it that is not the kernel's.
    user_us: f64,
}

struct Server {
    app: &'static apps::Description,
    port: u16,
    process: Child,
    cookie_file: PathBuf,
}

impl Server {
    fn start(app: &'static apps::Description, port: u16) -> Self {
        let cookie_file = std::env::temp_dir().join(format!("session-benches-{}-{port}", std::process::id()));
        let mut command = on_core("0", &std::env::current_exe().expect("this program has a path"));
        command.args(["serve", app.name, &port.to_string(), VISITORS]).arg(&cookie_file);
        let process = command.spawn().expect("the server starts");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        Server { app, port, process, cookie_file }
    }

    fn is_bare(&self) -> bool {
        self.app.name == self.app.bare
    }

    fn measure(&self, work: Work, seconds: u32) -> Taken {
        let (user_before, kernel_before) = self.cpu_seconds();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/wrk.lua");
        let url = format!("http://127.0.0.1:{}{}", self.port, work.path());
        let output = on_core("1", Path::new("wrk"))
            .args(["-t1", "-c", CONNECTIONS, &format!("-d{seconds}s"), "-s", script, &url, "--"])
            .arg(&self.cookie_file)
            .output()
            .expect("wrk is installed");
        let (user, kernel) = self.cpu_seconds();
        let (user, kernel) = (user - user_before, kernel - kernel_before);
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers = text.lines().find_map(|line| line.strip_prefix("measured ")).unwrap_or_default();
        let numbers: Vec<f64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [requests, failed, per_second, p50_us, p99_us] = numbers[..] else {
            panic!("wrk says {text} {}", String::from_utf8_lossy(&output.stderr));
        };
        assert_eq!(failed, 0.0, "{} {}", self.app.name, work.name());
        let us_of_a_request = |seconds: f64| seconds * 1e6 / requests;
        Taken { per_second, p50_us, p99_us, cpu_us: us_of_a_request(user + kernel), user_us: us_of_a_request(user) }
    }

    /// In the program and in the kernel.
    fn cpu_seconds(&self) -> (f64, f64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the server runs");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let seconds = |ticks: &str| ticks.parse::<f64>().map_or(0.0, |ticks| ticks / TICKS_PER_SECOND);
        // utime and stime, the 14th and 15th of all fields; two came before.
        (seconds(fields[11]), seconds(fields[12]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.cookie_file);
    }
}

fn on_core(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program).stdin(Stdio::null());
    command
}
