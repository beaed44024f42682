use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use session_axum::{DeviceBound, ManualClock};
use workspace_tests::Device;
use workspace_tests::records::now;

use super::super::application::{BOUND, MINUTE, builder, routes};
use super::super::software_browser::{Offer, SoftwareBrowser};
use super::SharedStore;

/// One application in two processes, each with connections of its own.
pub struct Site {
    pub clock: Arc<ManualClock>,
    pub processes: [Router; 2],
}

impl Site {
    pub async fn on(store: &SharedStore) -> Self {
        // Servers that end sessions by themselves take the time for wrong that is far from theirs.
        let clock = Arc::new(ManualClock::at(now()));
        let process = async || {
            let builder = builder(store.open().await, &clock).device_bound(DeviceBound::new());
            routes().layer(builder.build().unwrap())
        };
        let processes = [process().await, process().await];
        Site { clock, processes }
    }

    pub fn browser(&self) -> SoftwareBrowser {
        SoftwareBrowser::new(&self.processes[0], &self.clock)
    }

    /// A browser whose session is bound by one process, which every process enforces.
    pub async fn bound(&self) -> SoftwareBrowser {
        let mut browser = self.browser();
        let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).expect("a login offers it");
        browser.register(&offer, Device::p256()).await;
        assert_eq!(browser.get("/bound").await.body, "true");
        self.clock.advance(MINUTE);
        self.wait_until_enforced(&browser).await;
        browser
    }

    /// A process with copies may learn of it a moment later.
    async fn wait_until_enforced(&self, browser: &SoftwareBrowser) {
        let started = std::time::Instant::now();
        for process in &self.processes {
            let mut without = browser.stolen();
            without.set_cookie(BOUND, "");
            without.moved_to(process);
            while without.get("/user").await.body != "nobody" {
                assert!(started.elapsed().as_secs() < 2, "a process goes on without a proof");
            }
        }
    }
}
