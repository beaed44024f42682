//! The program as it is started by its command: Redis, two processes, and one port.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The program. It ends, with all that it has started, when this is dropped.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_example-two-processes"))
            .arg("0") // Any free port.
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says where it is");
        let address = line.trim().trim_start_matches("http://").to_owned();
        assert!(!address.is_empty(), "it ended at once");
        Program { child, address }
    }

    /// The answer to one request, on a connection of its own.
    fn try_to_ask(&self, line: &str, headers: &str, body: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(&self.address).expect("the proxy listens");
        let length = body.len();
        write!(
            connection,
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\n{headers}\r\n{body}",
            self.address
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn ask(&self, line: &str, headers: &str, body: &str) -> String {
        self.try_to_ask(line, headers, body).expect("the proxy answers")
    }

    /// Waits until this process, which was killed, gets no connection any more. For a moment after its end it still does,
    /// and whoever was passed on to it hears nothing.
    fn wait_until_gone(&self, killed: u32) {
        let mut turns_without_it = 0;
        while turns_without_it < 2 {
            let page = self.try_to_ask("GET /", "", "").unwrap_or_default();
            let is_from_another = !page.is_empty() && !page.contains(&format!("<h1>Process {killed}<"));
            turns_without_it = if is_from_another { turns_without_it + 1 } else { 0 };
        }
    }

    /// Signs a user in. Returns the header with the cookie.
    fn sign_in(&self, user: &str) -> String {
        let answer = self.ask("POST /sign-in", "", &format!("user={user}"));
        let cookie = between(&answer, "set-cookie: ", ";").expect("signing in sets the cookie");
        format!("cookie: {cookie}\r\n")
    }

    /// Visits the page. Returns the process that answered, and the number of the visit.
    fn visit(&self, cookie: &str) -> (u32, u32) {
        let page = self.ask("GET /", cookie, "");
        let number = |before, after| between(&page, before, after).and_then(|number| number.parse().ok());
        let both = number("<h1>Process ", "<").zip(number(", visit ", "<"));
        both.unwrap_or_else(|| panic!("nobody is signed in:\n{page}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split(after).next()
}

/// Where Redis is missing, says so aloud; CI must not skip.
fn redis_is_there() -> bool {
    let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "redis-server is not installed, and CI skips nothing");
        // Not `eprintln!`, which the test runner swallows.
        let _ = writeln!(std::io::stderr(), "SKIPPED: redis-server is not installed");
    }
    is_there
}

/// P73.
#[test]
fn either_process_knows_the_visitor_and_no_visit_is_lost() {
    if !redis_is_there() {
        return;
    }
    let program = Program::start();
    let cookie = program.sign_in("ann");
    let visits: Vec<(u32, u32)> = (0..6).map(|_| program.visit(&cookie)).collect();
    assert_eq!(visits.iter().map(|(_, visit)| *visit).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(visits.iter().map(|(process, _)| process).collect::<HashSet<_>>().len(), 2, "both have answered");

    // At the same moment, at both processes.
    std::thread::scope(|threads| {
        for _ in 0..20 {
            threads.spawn(|| program.visit(&cookie));
        }
    });
    assert_eq!(program.visit(&cookie).1, 27);

    // One process dies. The other goes on with the session.
    let (killed, _) = program.visit(&cookie);
    assert!(Command::new("kill").args(["-9", &killed.to_string()]).status().expect("there is `kill`").success());
    program.wait_until_gone(killed);
    let rest: Vec<(u32, u32)> = (0..4).map(|_| program.visit(&cookie)).collect();
    assert!(rest.iter().all(|(process, _)| *process != killed), "a process that is dead answers");
    assert_eq!(rest.last().map(|(_, visit)| *visit), Some(32));
}

#[test]
fn without_redis_it_says_what_to_do() {
    let ended = Command::new(env!("CARGO_BIN_EXE_example-two-processes")).env("PATH", "").output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(said.contains("redis-server is not installed") && said.contains("REDIS_URL="), "{said}");
}
