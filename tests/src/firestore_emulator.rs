use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use serde_json::Value;

use crate::server_process::{ServerProcess, free_port, is_installed};

/// Where Debian's package and Google's installer put the emulator.
const JARS: [&str; 2] = [
    "/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    "/opt/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
];

/// Google's emulator of Firestore, in memory, of a test's own.
pub struct FirestoreEmulator {
    addr: SocketAddr,
    process: Option<ServerProcess>,
}

impl FirestoreEmulator {
    /// `None`, said aloud, where it is not installed: it can't be had everywhere, not even in CI.
    /// `FIRESTORE_EMULATOR_JAR` may say where it is.
    #[track_caller]
    pub fn start() -> Option<Self> {
        jar().filter(|_| is_installed("java"))?;
        let mut emulator = FirestoreEmulator { addr: (Ipv4Addr::LOCALHOST, free_port()).into(), process: None };
        emulator.restart();
        Some(emulator)
    }

    /// Where it listens, also after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What [`open_store`](crate::open_store) takes.
    pub fn url(&self) -> String {
        format!("firestore:{}/tests", self.addr)
    }

    /// What it answers to a request of its other interface, REST, under the path of the documents of
    /// the project `tests`.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut connection = TcpStream::connect(self.addr).expect("the emulator runs");
        let (path, body) = (format!("/v1/projects/tests/databases/(default)/documents/{path}"), body.to_string());
        let head = format!("{method} {path} HTTP/1.1\r\nauthorization: Bearer owner\r\ncontent-length: {}", body.len());
        write!(connection, "{head}\r\n\r\n{body}").expect("the emulator listens");
        let mut answer = BufReader::new(connection);
        let head = answer.by_ref().lines().map(|line| line.expect("the emulator answers"));
        let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains("200"), "{head:?}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("it says how much");
        let mut body = vec![0; length.parse().expect("a number")];
        answer.read_exact(&mut body).expect("the emulator answers");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills it if it runs, and starts it again, empty.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let jar = jar().expect("it was there a moment ago");
        let port = self.addr.port().to_string();
        let class = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";
        let command = [
            "java",
            "-Duser.language=en",
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &jar,
            class,
            "--host=127.0.0.1",
            "--port",
            &port,
        ];
        self.process = Some(ServerProcess::start(&command, || TcpStream::connect(self.addr).is_ok()));
    }
}

fn jar() -> Option<String> {
    let named = std::env::var("FIRESTORE_EMULATOR_JAR").ok();
    let mut places = named.into_iter().chain(JARS.map(str::to_owned));
    let found = places.find(|place| Path::new(place).is_file());
    if found.is_none() {
        // Not `eprintln!`, which the test runner swallows.
        let _ = writeln!(std::io::stderr(), "SKIPPED: the Firestore emulator is not installed");
    }
    found
}
