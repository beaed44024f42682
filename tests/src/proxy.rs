use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::http2_frames::Http2Frames;

/// What goes wrong between a client and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every connection is cut, and new ones are refused, as when the server is down.
    Refuse,
    /// Connections open, and stay open, but nothing gets through. What was sent meanwhile arrives
    /// when the fault is over.
    BlackHole,
    /// Whatever is sent, in either direction, arrives that much later.
    Delay(Duration),
    /// The first connection to send that many further bytes to the server is cut there; then the
    /// fault is over.
    CutRequestAfter(u64),
    /// The first connection to get that many further bytes from the server is cut there; then the
    /// fault is over. With 0 the request arrives, and the client never learns it.
    CutReplyAfter(u64),
}

impl Fault {
    /// Whether it was a cut.
    fn end_cut(&mut self) -> bool {
        let is_cut = matches!(self, Fault::CutRequestAfter(_) | Fault::CutReplyAfter(_));
        if is_cut {
            *self = Fault::None;
        }
        is_cut
    }
}

/// A TCP proxy that injects faults, switched at run time.
///
/// It works as long as the runtime it was started in, and ends when dropped.
pub struct Proxy {
    addr: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    fault: watch::Sender<Fault>,
    stranded: watch::Sender<u64>,
    round_trips: Arc<AtomicU64>,
    http2_requests: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Proxy {
    /// Starts a proxy before a server, on a free port of this machine.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (fault, stranded) = (watch::Sender::new(Fault::None), watch::Sender::new(0));
        let round_trips = Arc::new(AtomicU64::new(0));
        let http2_requests = Arc::new(AtomicU64::new(0));
        let upstream = Arc::new(Mutex::new(upstream));
        let wire = Wire {
            upstream: Arc::clone(&upstream),
            fault: fault.clone(),
            stranded: stranded.clone(),
            round_trips: Arc::clone(&round_trips),
            http2_requests: Arc::clone(&http2_requests),
        };
        let task = tokio::spawn(accept(listener, wire)).abort_handle();
        Ok(Proxy { addr, upstream, fault, stranded, round_trips, http2_requests, task })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets new connections lead to another server, as an address does that moves. Those that are open stay where
    /// they are.
    pub fn move_to(&self, upstream: SocketAddr) {
        *self.upstream.lock() = upstream;
    }

    /// Lets something go wrong from now on, on open connections too.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Nothing gets through the connections that are open now, ever again, and they stay open. New ones work.
    pub fn strand_connections(&self) {
        self.stranded.send_modify(|times| *times += 1);
    }

    /// Whether something still goes wrong: a cut is over once it has happened.
    pub fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    /// How many times the clients have sent something and then got an answer or waited for one.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::SeqCst)
    }

    /// How many requests the clients have sent, if what they speak is HTTP/2: there the two sides also
    /// send frames of their own accord, and round trips say little.
    pub fn http2_requests(&self) -> u64 {
        self.http2_requests.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Wire {
    upstream: Arc<Mutex<SocketAddr>>,
    fault: watch::Sender<Fault>,
    /// How often the connections were stranded.
    stranded: watch::Sender<u64>,
    round_trips: Arc<AtomicU64>,
    http2_requests: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

async fn accept(mut listener: TcpListener, wire: Wire) -> io::Result<()> {
    let addr = listener.local_addr()?;
    let mut fault = wire.fault.subscribe();
    let mut connections = JoinSet::new();
    loop {
        if *fault.borrow_and_update() == Fault::Refuse {
            connections.shutdown().await;
            drop(listener);
            // A socket that is bound but does not listen refuses connections, and keeps the port.
            let closed = reserve(addr)?;
            let _ = fault.wait_for(|fault| *fault != Fault::Refuse).await;
            listener = closed.listen(1024)?;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted?;
                connections.spawn(serve(client, wire.clone()));
            }
            _ = fault.changed() => {}
        }
        while connections.try_join_next().is_some() {}
    }
}

fn reserve(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Carries one connection until either side ends it or a fault does.
async fn serve(client: TcpStream, wire: Wire) -> io::Result<()> {
    let mut stranded = wire.stranded.subscribe();
    if wire.fault.subscribe().wait_for(|fault| *fault != Fault::BlackHole).await.is_ok_and(|f| *f == Fault::Refuse) {
        return Ok(());
    }
    let upstream = *wire.upstream.lock();
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let waiting = AtomicBool::new(false);
    let mut carrying = pin!(async {
        tokio::select! {
            done = pump(from_client, to_server, Direction::Request, &wire, &waiting) => done,
            done = pump(from_server, to_client, Direction::Reply, &wire, &waiting) => done,
        }
    });
    tokio::select! {
        done = &mut carrying => done,
        // What is not polled carries nothing, and keeps both sides open.
        _ = stranded.changed() => std::future::pending().await,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    wire: &Wire,
    waiting: &AtomicBool,
) -> io::Result<()> {
    let mut fault = wire.fault.subscribe();
    let mut buffer = vec![0; 1 << 16];
    let mut frames = Http2Frames::new();
    // Bytes that passed since the fault was set.
    let mut passed = 0;
    loop {
        let count = tokio::select! {
            biased;
            _ = fault.changed() => {
                passed = 0;
                if *fault.borrow() == Fault::Refuse {
                    return Ok(());
                }
                continue;
            }
            count = from.read(&mut buffer) => count?,
        };
        if count == 0 {
            return Ok(());
        }
        let asks = direction == Direction::Request;
        if asks {
            wire.http2_requests.fetch_add(frames.requests_in(&buffer[..count]), Ordering::SeqCst);
        }
        let was_waiting = waiting.swap(asks, Ordering::SeqCst);
        if asks && !was_waiting {
            wire.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        let allowed = pass(&mut fault, direction, &mut passed, count).await;
        to.write_all(&buffer[..allowed]).await?;
        if allowed < count {
            wire.fault.send_if_modified(Fault::end_cut);
            return Ok(());
        }
    }
}

/// Waits as the fault demands; how many of these bytes may pass. Fewer than `count` is a cut.
async fn pass(fault: &mut watch::Receiver<Fault>, direction: Direction, passed: &mut u64, count: usize) -> usize {
    loop {
        if fault.has_changed().unwrap_or(false) {
            *passed = 0;
        }
        let present = *fault.borrow_and_update();
        let cut_at = match (present, direction) {
            (Fault::Refuse, _) => return 0,
            (Fault::BlackHole, _) => {
                let _ = fault.changed().await;
                *passed = 0;
                continue;
            }
            (Fault::Delay(delay), _) => {
                tokio::time::sleep(delay).await;
                return count;
            }
            (Fault::CutRequestAfter(bytes), Direction::Request) | (Fault::CutReplyAfter(bytes), Direction::Reply) => {
                bytes
            }
            _ => return count,
        };
        let left = cut_at.saturating_sub(*passed);
        *passed += count as u64;
        return usize::try_from(left).unwrap_or(count).min(count);
    }
}
