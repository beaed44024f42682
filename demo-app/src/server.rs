use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::serve::Listener;
use session_axum::SessionManager;
use tls_listener::TlsListener;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::https::OwnCertificate;
use crate::options::Options;
use crate::site::Site;
use crate::stop::StopSignals;
use crate::{routes, sessions, store};

/// How long the server waits for requests under way when it stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// The demo, ready to serve.
pub struct Server {
    listener: TcpListener,
    /// `None` over plain HTTP.
    certificate: Option<OwnCertificate>,
    /// Sessions are bound to devices.
    is_device_bound: bool,
    routes: Router,
    sessions: SessionManager,
}

impl Server {
    /// Opens the store and the port.
    pub async fn start(options: Options) -> anyhow::Result<Server> {
        let site = Arc::new(Site::new(&options));
        let layer = sessions::layer(store::open(&options).await?, &options, &site)?;
        let sessions = layer.manager().clone();
        let listener =
            TcpListener::bind(&options.listen).await.with_context(|| format!("can't listen on {}", options.listen))?;
        let certificate = options.https.then(|| OwnCertificate::new(names(&listener)?)).transpose()?;
        let is_device_bound = options.device_bound;
        let routes = routes::all(layer, site, options.admin_token)?;
        Ok(Server { listener, certificate, is_device_bound, routes, sessions })
    }

    /// Serves until the process is asked to stop. Then it waits for requests under way, and closes the store.
    pub async fn run(self) -> anyhow::Result<()> {
        // Whoever reads where it listens may ask it to stop at once.
        let signals = StopSignals::catch().context("can't catch the signals to stop")?;
        announce(&self.listener, self.certificate.as_ref(), self.is_device_bound)?;
        match &self.certificate {
            None => serve(self.listener, self.routes, signals).await?,
            Some(certificate) => {
                let listener = TlsListener::new(certificate.acceptor()?, self.listener);
                serve(listener, self.routes, signals).await?;
            }
        }
        self.sessions.close().await.context("can't close the session store")
    }
}

/// Serves until a signal comes, and then for as long as requests under way take, within [`PATIENCE`].
async fn serve<L: Listener>(listener: L, routes: Router, signals: StopSignals) -> io::Result<()>
where
    L::Addr: std::fmt::Debug,
{
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        signals.first().await;
        stop.send_replace(true);
    });
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stopped(stopping.clone()));
    tokio::select! {
        served = serving => served,
        // A client that keeps its connection busy can't keep the server from stopping.
        () = async { stopped(stopping).await; tokio::time::sleep(PATIENCE).await } => Ok(()),
    }
}

/// A name for this machine, for browsers that bind sessions only at a host with a name.
const NAME: &str = "demo.test";

/// What a browser may call this machine.
fn names(listener: &TcpListener) -> io::Result<Vec<String>> {
    let mut names = ["localhost", "127.0.0.1", "::1", NAME].map(str::to_owned).to_vec();
    let address = listener.local_addr()?.ip().to_string();
    if !names.contains(&address) {
        names.push(address);
    }
    Ok(names)
}

fn announce(listener: &TcpListener, certificate: Option<&OwnCertificate>, is_device_bound: bool) -> io::Result<()> {
    let (scheme, address) = (if certificate.is_some() { "https" } else { "http" }, listener.local_addr()?);
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "Listening on {scheme}://{address}/demo")?;
    if let Some(certificate) = certificate {
        writeln!(stdout, "Certificate, SHA-256: {}", certificate.fingerprint())?;
        writeln!(
            stdout,
            "Chromium takes it with --ignore-certificate-errors-spki-list={}",
            certificate.key_fingerprint()
        )?;
        if is_device_bound {
            writeln!(stdout, "Sessions are bound to their devices. A Chromium with keys in software:")?;
            writeln!(stdout, "{}", chromium(certificate, address))?;
        }
    }
    stdout.flush()
}

/// The command line of a Chromium that makes keys without hardware, and has a profile of its own.
fn chromium(certificate: &OwnCertificate, address: SocketAddr) -> String {
    let features = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";
    // As in a URL: a browser takes an address of IPv6 in brackets only.
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!(
        "chromium --user-data-dir=$(mktemp -d) --enable-features={features} \
         --ignore-certificate-errors-spki-list={} --host-resolver-rules='MAP {NAME} {ip}' https://{NAME}:{}/demo",
        certificate.key_fingerprint(),
        address.port()
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tls_listener::rustls::rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[test]
    fn the_command_line_of_chromium_is_whole_for_any_address() {
        let certificate = OwnCertificate::new([NAME.to_owned()]).unwrap();
        for (address, mapped) in [("127.0.0.1:8443", "127.0.0.1"), ("[::1]:8443", "[::1]")] {
            let expected = format!(
                "chromium --user-data-dir=$(mktemp -d) \
                 --enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting \
                 --ignore-certificate-errors-spki-list={} --host-resolver-rules='MAP demo.test {mapped}' \
                 https://demo.test:8443/demo",
                certificate.key_fingerprint()
            );
            assert_eq!(chromium(&certificate, address.parse().unwrap()), expected);
        }
    }

    /// P59.
    #[tokio::test]
    async fn over_https_the_cookie_has_the_prefix_that_needs_it() {
        let options = Options::parse_from(["demo-app", "--listen", "127.0.0.1:0", "--https"]);
        let server = Server::start(options).await.unwrap();
        let address = server.listener.local_addr().unwrap();
        let connector = server.certificate.as_ref().unwrap().connector();
        tokio::spawn(server.run());
        // One that never begins its handshake keeps nobody else waiting.
        let _idle = TcpStream::connect(address).await.unwrap();
        for host in ["localhost", "127.0.0.1", "::1"] {
            let connection = TcpStream::connect(address).await.unwrap();
            let mut connection = connector.connect(ServerName::try_from(host).unwrap(), connection).await.unwrap();
            let form = "UserName=ann&Password=a&Login=Login";
            let head = "POST /demo HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length";
            connection.write_all(format!("{head}: {}\r\n\r\n{form}", form.len()).as_bytes()).await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
            assert!(cookie.starts_with("set-cookie: __Host-sessid=") && cookie.contains("; Secure"), "{cookie}");
        }
    }
}
