//! The fault-injecting proxy does what the tests of the stores rely on.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use workspace_tests::{Fault, Proxy};

/// A server that answers each byte with the number of bytes it has got on all connections.
async fn counting_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut total = 0;
        let (sender, mut bytes) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<u8>>(16);
        tokio::spawn(async move {
            while let Some(reply) = bytes.recv().await {
                total += 1;
                let _ = reply.send(total);
            }
        });
        while let Ok((mut client, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                while client.read_u8().await.is_ok() {
                    let (reply, answer) = tokio::sync::oneshot::channel();
                    sender.send(reply).await.unwrap();
                    if client.write_u8(answer.await.unwrap()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    addr
}

async fn proxied() -> Proxy {
    Proxy::start(counting_server().await).await.unwrap()
}

async fn ask(client: &mut TcpStream) -> std::io::Result<u8> {
    client.write_u8(0).await?;
    client.read_u8().await
}

#[tokio::test]
async fn without_a_fault_bytes_pass_and_round_trips_are_counted() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(ask(&mut client).await.unwrap(), 1);
    assert_eq!(ask(&mut client).await.unwrap(), 2);
    assert_eq!(proxy.round_trips(), 2);
}

#[tokio::test]
async fn refusing_cuts_what_is_open_and_refuses_what_is_new_until_it_is_over() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    ask(&mut client).await.unwrap();
    proxy.set(Fault::Refuse);
    assert!(ask(&mut client).await.is_err());
    assert!(TcpStream::connect(proxy.addr()).await.is_err());
    proxy.set(Fault::None);
    // The proxy listens again as soon as it is scheduled.
    let mut again = loop {
        match TcpStream::connect(proxy.addr()).await {
            Ok(client) => break client,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(ask(&mut again).await.unwrap(), 2);
}

#[tokio::test]
async fn a_black_hole_holds_bytes_until_it_is_over() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.set(Fault::BlackHole);
    client.write_u8(0).await.unwrap();
    assert!(timeout(Duration::from_millis(50), client.read_u8()).await.is_err());
    proxy.set(Fault::None);
    assert_eq!(client.read_u8().await.unwrap(), 1);
}

#[tokio::test]
async fn a_delay_applies_to_both_directions() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.set(Fault::Delay(Duration::from_millis(20)));
    let start = std::time::Instant::now();
    ask(&mut client).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_cut_request_arrives_up_to_the_cut_and_only_once() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.set(Fault::CutRequestAfter(1));
    assert_eq!(ask(&mut client).await.unwrap(), 1);
    assert!(ask(&mut client).await.is_err());
    assert_eq!(proxy.fault(), Fault::None);
    let mut again = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(ask(&mut again).await.unwrap(), 2);
}

#[tokio::test]
async fn with_its_reply_cut_a_request_has_arrived() {
    let proxy = proxied().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.set(Fault::CutReplyAfter(0));
    assert!(ask(&mut client).await.is_err());
    let mut again = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(ask(&mut again).await.unwrap(), 2);
}
