//! What is compared, by the names that the parts print.

pub struct Subject {
    pub name: &'static str,
    pub label: &'static str,
    /// The same framework without sessions.
    pub bare: &'static str,
    /// What it does differently, where that costs or saves time.
    pub note: &'static str,
}

const AXUM: &str = "axum-bare";
const ACTIX: &str = "actix-bare";

pub const FLOORS: [Subject; 3] = [
    Subject { name: AXUM, label: "axum alone", bare: AXUM, note: "" },
    Subject { name: "axum-layer", label: "axum, a layer that does nothing", bare: AXUM, note: "" },
    Subject {
        name: "by-hand",
        label: "axum, a layer written by hand",
        bare: AXUM,
        note: "a map in 64 shards; checks and moves the idle deadline, sends Vary; knows one number for each \
               visitor; saves nothing, purges nothing",
    },
];

pub const OURS: Subject = Subject {
    name: "ours",
    label: "session-axum, memory",
    bare: AXUM,
    note: "saves against the version it loaded; reading moves the idle deadline once a minute; ids from the operating \
           system, known to the store by their SHA-256",
};

pub const PEERS: [Subject; 7] = [
    Subject {
        name: "tower-sessions",
        label: "tower-sessions, memory",
        bare: AXUM,
        note: "its default: only a request that writes moves the deadline, two weeks away",
    },
    Subject {
        name: "tower-sessions-always",
        label: "tower-sessions, memory, always saving",
        bare: AXUM,
        note: "each request moves the deadline, as ours does once a minute, and sets the cookie",
    },
    Subject {
        name: "tower-sessions-moka",
        label: "tower-sessions, moka",
        bare: AXUM,
        note: "its latest moka store is for tower-sessions 0.14",
    },
    Subject { name: "tower-sessions-moka-always", label: "tower-sessions, moka, always saving", bare: AXUM, note: "" },
    Subject {
        name: "axum-session",
        label: "axum_session, memory",
        bare: AXUM,
        note: "its default: each request moves the deadline, and sets cookies",
    },
    Subject {
        name: "actix-session",
        label: "actix-session, cookie, encrypted",
        bare: ACTIX,
        note: "its default: the session itself is in the cookie, encrypted; nothing is kept on the server, so nothing \
               is ended there",
    },
    Subject {
        name: "actix-session-signed",
        label: "actix-session, cookie, signed",
        bare: ACTIX,
        note: "the session itself is in the cookie, readable and signed",
    },
];

pub fn all() -> impl Iterator<Item = &'static Subject> {
    FLOORS.iter().chain([&OURS]).chain(&PEERS)
}

/// Those with sessions, and the layer that one might write instead.
pub fn with_sessions() -> impl Iterator<Item = &'static Subject> {
    all().filter(|subject| !matches!(subject.name, AXUM | "axum-layer"))
}

pub struct StoreSubject {
    pub name: &'static str,
    pub label: &'static str,
    pub is_peer: bool,
}

pub const STORES: [StoreSubject; 6] = [
    StoreSubject { name: "sharded-map", label: "64 shards of lock and map", is_peer: false },
    StoreSubject { name: "dashmap", label: "DashMap", is_peer: false },
    StoreSubject { name: "ours", label: "session-core, MemoryStore", is_peer: false },
    StoreSubject { name: "tower-sessions", label: "tower-sessions, memory", is_peer: true },
    StoreSubject { name: "tower-sessions-moka", label: "tower-sessions, moka", is_peer: true },
    StoreSubject { name: "axum-session", label: "axum_session, memory", is_peer: true },
];
