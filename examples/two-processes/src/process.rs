//! One of the two processes, as the first one sees it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, stdin};
use tokio::process::{Child, Command};

/// The argument that makes the program one of the two processes.
pub const ROLE: &str = "process";

/// A process that ends when this is dropped, and when this program ends.
pub struct Process {
    address: SocketAddr,
    _child: Child,
}

impl Process {
    /// Starts one, and waits until it serves.
    pub async fn start(redis: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, redis])
            .stdin(Stdio::piped()) // It ends when nobody holds the other end any more.
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("the output is piped")?;
        let line =
            BufReader::new(output).lines().next_line().await?.context("a process ended at once; see above why")?;
        let address = line.trim_start_matches("http://").parse()?;
        Ok(Process { address, _child: child })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Says where this program serves: for the program that started it, or for you.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    writeln!(io::stdout(), "http://{address}")
}

/// Waits until the program that has started this one is gone.
pub async fn parent_is_gone() {
    let mut byte = [0];
    while stdin().read(&mut byte).await.is_ok_and(|read| read > 0) {}
}
