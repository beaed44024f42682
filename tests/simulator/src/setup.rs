//! What a seed makes of a world before anything happens in it.

use std::time::Duration;

use fastrand::Rng;

/// How sessions are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// In memory: the driver that never waits.
    Memory,
    /// Bytes behind a network.
    Remote,
    /// Each process has memory before the remote store, and writes through.
    MemoryBeforeRemote,
    /// Each load compares versions with the remote store.
    StrictMemoryBeforeRemote,
    /// All processes share a cache behind a network, and write through.
    CacheBeforeRemote,
    /// One process writes behind, from its memory.
    MemoryLongBeforeRemote,
    /// One process writes behind, from a cache that evicts.
    CacheLongBeforeRemote,
    /// Several processes write behind, from a cache that they share and that keeps all it was given.
    SharedCacheLongBeforeRemote,
}

use Stores::*;

impl Stores {
    const ALL: [Stores; 12] = [
        Memory,
        Memory,
        Remote,
        Remote,
        Remote,
        MemoryBeforeRemote,
        StrictMemoryBeforeRemote,
        CacheBeforeRemote,
        CacheBeforeRemote,
        MemoryLongBeforeRemote,
        CacheLongBeforeRemote,
        SharedCacheLongBeforeRemote,
    ];

    /// Whether copies are read that are changed after the record itself.
    pub fn has_tiers(self) -> bool {
        !matches!(self, Memory | Remote | StrictMemoryBeforeRemote)
    }

    /// Whether changes wait in the memory of a process before they are durable.
    pub fn write_behind(self) -> bool {
        matches!(self, MemoryLongBeforeRemote | CacheLongBeforeRemote | SharedCacheLongBeforeRemote)
    }

    fn is_of_one_process(self) -> bool {
        matches!(self, MemoryLongBeforeRemote | CacheLongBeforeRemote)
    }
}

/// How often, out of 1000 calls, something goes wrong with a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It says that it is not available, and does nothing.
    pub refused: u32,
    /// It does what it was asked for, but the answer is lost.
    pub lost: u32,
    /// The answer is an error, and what it was asked for is done up to 20 s later.
    pub late: u32,
    /// It takes up to 8 s, longer than the callers wait.
    pub slow: u32,
    /// It does nothing for up to 8 s, then all at once.
    pub frozen: u32,
    /// The longest time of an ordinary call, in milliseconds.
    pub latency: u64,
}

impl Faults {
    /// Whether anything ever goes wrong.
    pub fn are_any(&self) -> bool {
        self.refused + self.lost + self.late + self.slow + self.frozen > 0
    }

    fn draw(rng: &mut Rng, latency: u64) -> Self {
        let mut rate = |most: u32| if rng.bool() { rng.u32(0..=most) } else { 0 };
        Faults { refused: rate(60), lost: rate(60), late: rate(30), slow: rate(20), frozen: rate(6), latency }
    }

    fn none(latency: u64) -> Self {
        Faults { latency, ..Faults::default() }
    }
}

/// What the actors of a world mostly do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Anything,
    /// Everybody renews while sessions end.
    Renewing,
    /// Everybody signs in at once.
    Logins,
    /// Tabs of one browser change the same session.
    Writing,
    /// Little happens, until deadlines come.
    Deadlines,
}

/// All that a seed decides in advance.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How sessions are stored.
    pub stores: Stores,
    /// What the actors mostly do.
    pub theme: Theme,
    /// The number of processes.
    pub processes: usize,
    /// The number of browsers.
    pub browsers: usize,
    /// The number of users.
    pub users: usize,
    /// How many things the world lets happen.
    pub steps: usize,
    /// How far the clock of each process is ahead, in milliseconds.
    pub skews: Vec<i64>,
    /// How long a session lives after its last use.
    pub idle_timeout: Duration,
    /// How long a session lives, however much it is used.
    pub absolute_timeout: Option<Duration>,
    /// The limit of sessions of one user.
    pub limit: Option<usize>,
    /// How long a copy of a cache is served.
    pub max_staleness: Duration,
    /// How long a change waits before it is written behind.
    pub write_delay: Duration,
    /// What goes wrong with the remote store.
    pub remote: Faults,
    /// What goes wrong with the cache.
    pub cache: Faults,
    /// The cache loses single entries, or all.
    pub cache_forgets: bool,
    /// Processes crash and start again.
    pub crashes: bool,
    /// Clocks are set forward and back.
    pub clocks_jump: bool,
    /// How managers keep old ids, if they do.
    pub renewals: Option<Renewals>,
    /// The number of applications that share the store. Each has an audience.
    pub audiences: usize,
}

/// How sessions get new ids without being asked, and how long old ones go on.
#[derive(Clone, Copy, Debug)]
pub struct Renewals {
    pub every: Option<Duration>,
    pub grace: Option<Duration>,
}

impl Renewals {
    fn draw(rng: &mut Rng) -> Self {
        let every = (rng.u8(0..4) > 0).then(|| Duration::from_secs(rng.u64(1..=60)));
        let grace = (every.is_none() || rng.bool()).then(|| Duration::from_secs(rng.u64(1..=30)));
        Renewals { every, grace }
    }
}

impl Setup {
    /// Draws the setup of a world.
    pub fn draw(rng: &mut Rng) -> Self {
        let stores = *rng.choice(&Stores::ALL).expect("there are some");
        let themes = [Theme::Anything, Theme::Renewing, Theme::Logins, Theme::Writing, Theme::Deadlines];
        let theme = *rng.choice(&themes).expect("there are some");
        let processes = if stores.is_of_one_process() { 1 } else { rng.usize(1..=3) };
        let are_exact = rng.bool();
        let skew = |rng: &mut Rng| if are_exact { 0 } else { rng.i64(-MOST_SKEW..=MOST_SKEW) };
        let latency = *rng.choice(&[0, 1, 3, 10]).expect("there are some");
        let is_calm = rng.u8(0..3) == 0;
        let remote = if is_calm { Faults::none(latency) } else { Faults::draw(rng, latency) };
        let cache_is_calm = is_calm || stores == SharedCacheLongBeforeRemote || rng.bool();
        let cache = if cache_is_calm { Faults::none(latency) } else { Faults::draw(rng, latency) };
        Setup {
            stores,
            theme,
            processes,
            browsers: rng.usize(1..=4),
            users: rng.usize(1..=2),
            steps: rng.usize(8..=40),
            skews: (0..processes).map(|_| skew(rng)).collect(),
            idle_timeout: Duration::from_secs(*rng.choice(&[600, 1800]).expect("there are some")),
            absolute_timeout: rng
                .choice([None, Some(1800), Some(7200)])
                .expect("there are some")
                .map(Duration::from_secs),
            limit: if theme == Theme::Logins || rng.u8(0..4) == 0 { Some(rng.usize(1..=3)) } else { None },
            max_staleness: Duration::from_millis(rng.u64(500..=5000)),
            write_delay: Duration::from_millis(rng.u64(0..=1000)),
            remote,
            cache,
            cache_forgets: !is_calm && stores != SharedCacheLongBeforeRemote && rng.bool(),
            crashes: !is_calm && stores != Memory && !stores.write_behind() && rng.u8(0..4) == 0,
            clocks_jump: !are_exact && rng.u8(0..4) == 0,
            renewals: (rng.u8(0..4) == 0).then(|| Renewals::draw(rng)),
            audiences: if processes > 1 && rng.u8(0..6) == 0 { 2 } else { 1 },
        }
    }

    /// The application that a process belongs to.
    pub fn audience(&self, process: usize) -> usize {
        process % self.audiences
    }

    /// How far two clocks may ever differ, in milliseconds.
    pub fn largest_skew(&self) -> u64 {
        let largest = self.skews.iter().map(|skew| skew.unsigned_abs()).max().unwrap_or(0);
        if self.clocks_jump { 2 * MOST_SKEW.unsigned_abs() } else { 2 * largest }
    }
}

/// How far a clock may be ahead or behind, in milliseconds.
pub const MOST_SKEW: i64 = 1500;
