//! Why a store can't start, for who has written its addresses.

use std::io;
use std::time::Duration;

use redis::ConnectionAddr;
use session_core::{ConfigError, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::error::NAME;
use crate::tls::{client_hello, handshake_failed};

/// How long a server may take to show which protocol it speaks.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// The error of a start, with its causes. A server that can't be talked to is asked what it speaks.
pub(super) async fn failed(error: StoreError, addresses: &[Address]) -> StoreError {
    if let Some(told) = handshake_failed(NAME, &error) {
        return told;
    }
    if error.is_unavailable() {
        for address in addresses {
            if let Some(told) = mixed_up(address.info.addr()).await {
                return StoreError::refused(NAME, ConfigError::new(told)).naming_causes();
            }
        }
    }
    error.naming_causes()
}

/// What is wrong with an address whose server speaks something else.
async fn mixed_up(address: &ConnectionAddr) -> Option<String> {
    let (host, port, is_encrypted) = match address {
        ConnectionAddr::Tcp(host, port) => (host, *port, false),
        ConnectionAddr::TcpTls { host, port, .. } => (host, *port, true),
        _ => return None,
    };
    // The empty line makes a web server answer.
    let why = match first_byte(host, port, b"PING\r\n\r\n").await? {
        Some(b'+' | b'-') if is_encrypted => "has no TLS; write `redis://`, or turn TLS on there",
        Some(b'H') => "answers with HTTP; write the address of a server of Redis",
        answer if !is_encrypted && !matches!(answer, Some(b'+' | b'-')) => {
            // A record of TLS: part of a handshake, or an alert.
            let answer = first_byte(host, port, &client_hello(host)?).await?;
            answer.filter(|byte| [0x15, 0x16].contains(byte)).map(|_| "expects TLS; write `rediss://`")?
        }
        _ => return None,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    Some(format!("{host}:{port} {why}"))
}

/// How the answer to these bytes begins, which are no secret. `Some(None)` if the server hangs up, `None` if it is silent
/// or not there.
async fn first_byte(host: &str, port: u16, sent: &[u8]) -> Option<Option<u8>> {
    let asking = async {
        let mut connection = TcpStream::connect((host, port)).await?;
        connection.write_all(sent).await?;
        let mut byte = [0];
        match connection.read(&mut byte).await {
            Ok(count) => Ok((count == 1).then_some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    };
    let answer: io::Result<Option<u8>> = timeout(ANSWER_LIMIT, asking).await.ok()?;
    answer.ok()
}
