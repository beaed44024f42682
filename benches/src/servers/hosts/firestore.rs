use std::net::SocketAddr;

use super::{Server, ServerWork};
use crate::apps::Description;
use workspace_tests::FirestoreEmulator;
use workspace_tests::Proxy;

/// The emulator, which does not count what it does.
pub struct Firestore(FirestoreEmulator);

impl Firestore {
    /// None where it is not installed.
    pub fn start() -> Option<Self> {
        FirestoreEmulator::start().map(Firestore)
    }
}

impl Server for Firestore {
    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// In a database of the application's own.
    fn url(&self, addr: SocketAddr, app: &Description) -> String {
        format!("{addr}/{}", app.name)
    }

    /// Both sides also send frames of HTTP/2 of their own accord.
    fn round_trips(&self, proxy: &Proxy) -> u64 {
        proxy.http2_requests()
    }

    fn work_so_far(&self) -> Option<ServerWork> {
        None
    }
}
