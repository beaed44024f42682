use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use session_axum::{SessionLayer, SessionManager};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::options::{AbsoluteTimeout, Options};
use crate::pages::Site;
use crate::stop::StopSignals;
use crate::{routes, store};

/// How long the server waits for requests under way when it stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// The demo, ready to serve.
pub struct Server {
    listener: TcpListener,
    routes: Router,
    sessions: SessionManager,
}

impl Server {
    /// Opens the store and the port.
    pub async fn start(options: Options) -> anyhow::Result<Server> {
        let layer = session_layer(&options).await?;
        let sessions = layer.manager().clone();
        let listener =
            TcpListener::bind(&options.listen).await.with_context(|| format!("can't listen on {}", options.listen))?;
        let site = Site::new(&options);
        let routes = routes::all(layer, site, options.admin_token)?;
        Ok(Server { listener, routes, sessions })
    }

    /// Serves until the process is asked to stop. Then it waits for requests under way, and closes the store.
    pub async fn run(self) -> anyhow::Result<()> {
        // Whoever reads where it listens may ask it to stop at once.
        let signals = StopSignals::catch().context("can't catch the signals to stop")?;
        announce(self.listener.local_addr()?)?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            signals.first().await;
            stop.send_replace(true);
        });
        let stopped = |mut stopping: watch::Receiver<bool>| async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let serving = axum::serve(self.listener, self.routes).with_graceful_shutdown(stopped(stopping.clone()));
        tokio::select! {
            served = serving => served?,
            // A client that keeps its connection busy can't keep the server from stopping.
            () = async { stopped(stopping).await; tokio::time::sleep(PATIENCE).await } => {}
        }
        self.sessions.close().await.context("can't close the session store")
    }
}

async fn session_layer(options: &Options) -> anyhow::Result<SessionLayer> {
    let layer = SessionLayer::builder(store::open(options).await?).idle_timeout(options.idle_timeout);
    let layer = match options.absolute_timeout {
        AbsoluteTimeout::After(timeout) => layer.absolute_timeout(timeout),
        AbsoluteTimeout::Off => layer.without_absolute_timeout(),
    };
    let layer = if options.allow_http { layer.allow_http() } else { layer };
    Ok(layer.build()?)
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "Listening on http://{address}/demo")?;
    stdout.flush()
}
