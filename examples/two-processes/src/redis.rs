//! A Redis for the time in which the example runs.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use session_axum::{RedisStore, Store};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Where Redis is.
pub struct Redis {
    address: String,
    /// The server that was started for this.
    _own: Option<(Child, TempDir)>,
}

/// Ends the server when nobody holds the other end of the standard input any more, however this program ended.
const UNTIL_THE_END: &str = r#""$@" & cat > /dev/null; kill $!"#;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

impl Redis {
    /// One that runs already.
    pub fn at(address: String) -> Self {
        Redis { address, _own: None }
    }

    /// Starts one that only this program can reach, and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().await;
        if is_there.is_err() {
            bail!(
                "redis-server is not installed: install it (on Debian: apt-get install redis-server), or say where one runs, \
                 such as REDIS_URL=redis://127.0.0.1/"
            );
        }
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("redis.sock");
        let socket = socket.to_str().context("the folder of temporary files has a name that is no text")?;
        let server = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
        let child = Command::new("sh")
            .args(["-c", UNTIL_THE_END, "sh"])
            .args(server)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Redis { address: format!("redis+unix://{socket}"), _own: Some((child, folder)) };
        redis.answers().await?;
        Ok(redis)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    async fn answers(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match RedisStore::connect(&self.address).await {
                Ok(store) => return Ok(store.close().await?),
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                Err(error) => return Err(error).context("redis-server was started and does not answer"),
            }
        }
    }
}
