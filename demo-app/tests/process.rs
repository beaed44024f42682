//! The demo as a process: how it starts, and how it stops.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

fn demo(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo-app"));
    command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(options: &[&str]) -> Output {
    demo(options).output().unwrap()
}

/// A demo that listens; killed when dropped.
struct Running {
    process: Child,
    address: String,
}

impl Running {
    fn start(options: &[&str]) -> Self {
        let mut process = demo(&["--listen", "127.0.0.1:0"]).args(options).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Listening on ").unwrap_or_else(|| panic!("it printed {line:?}"));
        let (_scheme, address) = url.strip_suffix("/demo").unwrap().split_once("://").unwrap();
        Running { process, address: address.to_owned() }
    }

    /// Asks for the page with what is given for `head`, such as a cookie.
    fn ask(&self, method: &str, head: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(connection, "{method} /demo HTTP/1.0\r\nContent-Length: {length}\r\n{head}\r\n{body}").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(&mut self, signal: &str) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        self.process.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn assert_refused(output: &Output, culprit: &str) {
    let problem = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{problem}");
    assert_eq!(problem.lines().count(), 1, "{problem}");
    assert!(problem.starts_with("demo-app: ") && problem.contains(culprit), "{problem}");
    assert!(output.stdout.is_empty());
}

#[test]
fn it_prints_where_it_listens_and_serves_there() {
    let demo = Running::start(&[]);
    let answer = demo.ask("GET", "", "");
    assert!(answer.starts_with("HTTP/1.0 200 OK") && answer.contains("UserName"), "{answer}");
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_2() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_refused(&run(&["--listen", &address]), &address);
}

#[test]
fn a_wrong_option_is_one_line_and_exit_code_2() {
    assert_refused(&run(&["--idle-timeout", "soon"]), "--idle-timeout");
    assert_refused(&run(&["--idle-timeout", "0s"]), "idle_timeout");
    assert_refused(&run(&["--fresh-within", "0s"]), "fresh_within");
    assert_refused(&run(&["--listen", "nowhere"]), "nowhere");
    assert_refused(&run(&["--store", "nonsense"]), "--store");
    assert_refused(&run(&["--fast", "memory"]), "--fast");
    assert_refused(&run(&["--nonsense"]), "--nonsense");
}

#[cfg(not(feature = "stores"))]
#[test]
fn a_store_that_was_not_built_in_names_its_feature() {
    assert_refused(&run(&["--store", "sqlite:demo.db"]), "--features stores");
}

#[cfg(feature = "stores")]
#[test]
fn a_wrong_address_is_one_line_and_exit_code_2() {
    assert_refused(&run(&["--store", "sqlite:/nowhere/demo.db"]), "/nowhere/demo.db");
    for store in ["redis://127.0.0.1:1", "memcached://127.0.0.1:1", "postgres://127.0.0.1:1/demo"] {
        assert_refused(&run(&["--store", store]), "Connection refused");
    }
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("demo.db").display());
    assert_refused(&run(&["--store", &store, "--fast", "redis://127.0.0.1:1"]), "--fast");
}

#[track_caller]
fn assert_tells_no_password(options: &[&str]) {
    let output = run(options);
    assert_refused(&output, "");
    let problem = String::from_utf8(output.stderr).unwrap();
    assert!(!problem.contains("marker"), "{options:?}: {problem}");
}

/// R52: mistyped addresses and options, with any store built in or none.
#[test]
fn no_password_is_in_a_message_about_the_command_line() {
    for address in ["mysql://ann:marker@host/db", "postgress://ann:marker@host/db", "://:marker@host"] {
        for option in ["--store", "--fast", "--stroe", "--listen"] {
            assert_tells_no_password(&[option, address]);
            assert_tells_no_password(&[&format!("{option}={address}")]);
        }
        assert_tells_no_password(&[address]);
    }
    assert_tells_no_password(&["--fast", "postgres://ann:marker@host/db"]);
    assert_tells_no_password(&["--admin-token", "marker", "--nonsense"]);
    assert_tells_no_password(&["--store", "redis://:marker@host", "--fast", "memory", "--write-behind"]);
}

/// R52.
#[cfg(feature = "stores")]
#[test]
fn no_password_is_in_a_message_about_a_store_that_can_not_be_opened() {
    for credentials in [
        "ann:marker",
        ":marker",
        "marker",
        "ann:mar%6ber",
        "ann:a/marker",
        "ann:a,marker",
        "ann:a:marker",
        "ann:@marker",
    ] {
        for address in [
            format!("redis://{credentials}@127.0.0.1:1"),
            format!("rediss://{credentials}@127.0.0.1:1/0"),
            format!("redis://{credentials}@127.0.0.1:port"),
            format!("redis+unix:///nowhere/redis.sock?user=ann&pass={credentials}"),
            format!("postgres://{credentials}@127.0.0.1:1/demo"),
            format!("postgresql://{credentials}@127.0.0.1:port/demo"),
            format!("postgres://{credentials}@[demo"),
            format!("postgres://127.0.0.1:1/demo?password={credentials}&sslmode=nonsense"),
            format!("memcached://{credentials}@127.0.0.1:1"),
            format!("memcached://{credentials}@127.0.0.1:port,127.0.0.1:1"),
            format!("sqlite://{credentials}@nowhere/demo.db"),
        ] {
            assert_tells_no_password(&["--store", &address]);
            assert_tells_no_password(&["--store", "sqlite:/dev/null/demo.db", "--fast", &address]);
        }
    }
}

#[test]
fn help_goes_to_stdout() {
    let output = run(&["--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for option in [
        "--listen",
        "--idle-timeout",
        "--absolute-timeout",
        "--max-sessions",
        "--fresh-within",
        "--https",
        "--allow-http",
        "--store",
        "--fast",
        "--write-behind",
        "--admin-token",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn it_stops_when_asked_to() {
    for signal in ["TERM", "INT"] {
        let mut demo = Running::start(&[]);
        // A browser keeps connections open that it does not use.
        let _idle = TcpStream::connect(&demo.address).unwrap();
        assert!(demo.ask("GET", "", "").contains("UserName"));
        assert_eq!(demo.stop(signal).code(), Some(0), "{signal}");
    }
}

/// P59.
#[test]
fn it_prints_the_fingerprints_of_its_certificate_and_stops_when_asked_to() {
    let mut process = demo(&["--listen", "127.0.0.1:0", "--https"]).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap().strip_prefix("Listening on ").unwrap().to_owned();
    let address = url.strip_prefix("https://").unwrap().strip_suffix("/demo").unwrap();
    let certificate = lines.next().unwrap();
    let hash = certificate.strip_prefix("Certificate, SHA-256: ").unwrap();
    assert_eq!(hash.split(':').filter(|byte| u8::from_str_radix(byte, 16).is_ok()).count(), 32, "{hash}");
    let key = lines.next().unwrap();
    let key = key.split_once("--ignore-certificate-errors-spki-list=").unwrap().1;
    assert!(key.len() == 44 && key.ends_with('='), "{key} is the base64 of 32 bytes");

    // One connection that begins no handshake, and one that speaks no TLS.
    let _idle = TcpStream::connect(address).unwrap();
    let mut plain = TcpStream::connect(address).unwrap();
    write!(plain, "GET /demo HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "it answers nothing that is not encrypted");
    let mut demo = Running { process, address: address.to_owned() };
    assert_eq!(demo.stop("TERM").code(), Some(0));
}

/// B82: the pipe of its output is full, so it waits in the middle of saying where it listens.
#[cfg(target_os = "linux")]
#[test]
fn it_can_be_stopped_as_soon_as_it_says_where_it_listens() {
    const PIPE_BYTES: usize = 64 * 1024;
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'.'; PIPE_BYTES]).unwrap();
    let mut process = demo(&["--listen", "127.0.0.1:0"]).stdout(writer).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !catches_signals(process.id()) {
        assert!(Instant::now() < deadline, "SIGINT and SIGTERM still end it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-s", "TERM", &process.id().to_string()]).status().unwrap().success());
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert!(printed[PIPE_BYTES..].starts_with("Listening on http://"), "{}", &printed[PIPE_BYTES..]);
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

/// Whether the process has handlers for SIGINT (2) and SIGTERM (15).
#[cfg(target_os = "linux")]
fn catches_signals(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    [2, 15].iter().all(|signal| caught & (1 << (signal - 1)) != 0)
}

#[test]
fn without_allow_http_the_cookie_needs_encryption() {
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    let cookie = |options: &[&str]| {
        let demo = Running::start(options);
        let answer = demo.ask("POST", form_type, "UserName=ann&Password=a&Login=Login");
        let said = demo.ask("GET", "", "").contains("allowed over plain HTTP");
        (answer.lines().find(|line| line.starts_with("set-cookie")).unwrap().to_owned(), said)
    };
    let (insecure, said) = cookie(&[]);
    assert!(insecure.starts_with("set-cookie: sessid=") && !insecure.contains("Secure") && said, "{insecure}");
    let (secure, said) = cookie(&["--allow-http=false"]);
    assert!(secure.starts_with("set-cookie: __Host-sessid=") && secure.contains("Secure") && !said, "{secure}");
}

#[cfg(feature = "stores")]
#[test]
fn what_waits_to_be_written_is_written_before_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("demo.db").display());
    let mut demo = Running::start(&["--store", &store, "--fast", "memory", "--write-behind"]);
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = demo.ask("POST", form_type, "UserName=ann&Password=a&Login=Login");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    for _ in 0..11 {
        demo.ask("GET", &cookie, "");
    }
    assert_eq!(demo.stop("TERM").code(), Some(0));

    let answer = Running::start(&["--store", &store]).ask("GET", &cookie, "");
    assert!(answer.contains("Since login you visited 12 times!"), "{answer}");
}
