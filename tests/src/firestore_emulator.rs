use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

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
