//! Passes connections on to several addresses by turns. In production, a proxy such as nginx, Caddy or HAProxy does it.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Serves until accepting connections fails.
pub async fn serve(listener: TcpListener, mut addresses: Vec<SocketAddr>) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(pass_on(client, addresses.clone()));
        addresses.rotate_left(1);
    }
}

/// To the first address that answers: a process that is down is left out.
async fn pass_on(mut client: TcpStream, addresses: Vec<SocketAddr>) {
    for address in addresses {
        if let Ok(mut server) = TcpStream::connect(address).await {
            // Whoever hangs up ends it.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
