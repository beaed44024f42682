use std::time::Duration;

use fastrand::Rng;

use crate::setup;

/// What a seed makes of a world of devices before anything happens in it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Stores, processes, clocks and timeouts, as in any world.
    pub common: setup::Setup,
    /// How long the bound cookie lives.
    pub lifetime: Duration,
    /// For how long a browser is let in that says that it had to skip its refresh.
    pub skip_grace: Option<Duration>,
    /// A logout tells the browser to delete what it keeps of the site.
    pub clears_site_data: bool,
    /// Two browsers have the same user.
    pub shares_user: bool,
    /// What goes wrong between browsers and processes.
    pub way: WayFaults,
}

/// How often, out of 1000 requests, something goes wrong on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct WayFaults {
    /// The connection is closed before the request arrives.
    pub refused: u32,
    /// The request is served, and its answer is lost.
    pub lost: u32,
    /// The connection is closed, and the request arrives up to 20 s later.
    pub late: u32,
    /// The request is served, and no answer comes.
    pub silent: u32,
    /// The request or its answer takes up to 15 s.
    pub slow: u32,
}

/// How far a clock may be ahead or behind, in milliseconds: two are at most 30 s apart.
const MOST_SKEW: i64 = 15_000;

impl Setup {
    /// Draws the setup of a world.
    pub fn draw(rng: &mut Rng) -> Self {
        let common = loop {
            let common = setup::Setup::draw(rng);
            // A crash may lose what waits to be written behind: whoever signs in there, does so at that risk.
            if !common.stores.write_behind() {
                break common;
            }
        };
        let seconds = |rng: &mut Rng, some: &[u64]| Duration::from_secs(*rng.choice(some).expect("there are some"));
        let idle_timeout = seconds(rng, &[1800, 7200, 86_400]);
        let shares_user = common.browsers > 1 && rng.u8(0..4) == 0;
        Setup {
            lifetime: seconds(rng, &[60, 60, 120, 600]),
            skip_grace: (rng.u8(0..5) == 0).then(|| seconds(rng, &[60, 300])),
            clears_site_data: rng.u8(0..4) == 0,
            way: if rng.u8(0..3) == 0 { WayFaults::default() } else { WayFaults::draw(rng) },
            common: setup::Setup {
                browsers: common.browsers.min(3),
                steps: common.steps.min(30),
                skews: (0..common.processes).map(|_| skew(rng)).collect(),
                clocks_jump: false,
                audiences: 1,
                idle_timeout,
                absolute_timeout: rng.bool().then(|| 2 * idle_timeout),
                limit: if shares_user { common.limit } else { None },
                ..common
            },
            shares_user,
        }
    }

    /// The user before a browser.
    pub fn user(&self, browser: usize) -> usize {
        if self.shares_user { 0 } else { browser }
    }

    /// How far two clocks may differ, in milliseconds.
    pub fn largest_skew(&self) -> i64 {
        let skews = &self.common.skews;
        skews.iter().max().unwrap_or(&0) - skews.iter().min().unwrap_or(&0)
    }
}

fn skew(rng: &mut Rng) -> i64 {
    match rng.u8(0..4) {
        0 => 0,
        1 => *rng.choice(&[-MOST_SKEW, MOST_SKEW]).expect("there are some"),
        _ => rng.i64(-MOST_SKEW..=MOST_SKEW),
    }
}

impl WayFaults {
    fn draw(rng: &mut Rng) -> Self {
        let mut rate = |most: u32| if rng.bool() { rng.u32(0..=most) } else { 0 };
        WayFaults { refused: rate(80), lost: rate(80), late: rate(60), silent: rate(20), slow: rate(60) }
    }
}
