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

pub const WORKS: [(&str, &str); 6] = [
    ("plain", "without session"),
    ("read", "read"),
    ("set", "set"),
    ("count", "count"),
    ("login", "login"),
    ("logout", "logout"),
];

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

/// With sessions on a server, and what the same takes without.
pub const SERVERS: [Subject; 23] = [
    Subject { name: AXUM, label: "axum alone", bare: AXUM, note: "" },
    Subject { name: ACTIX, label: "actix-web alone", bare: ACTIX, note: "" },
    OURS_WITHOUT_SERVER,
    Subject {
        name: "ours-redis",
        label: "session-axum, Redis",
        bare: AXUM,
        note: "a change is saved by a script that compares the version that was loaded; reading moves the idle \
               deadline once a minute",
    },
    Subject {
        name: "ours-redis-tracked",
        label: "session-axum, Redis, tracked",
        bare: AXUM,
        note: "the same, with copies in memory that the server invalidates (RESP3)",
    },
    Subject {
        name: "tower-sessions-redis",
        label: "tower-sessions, Redis",
        bare: AXUM,
        note: "its latest stores in Redis and SQL are for tower-sessions 0.14; only a request that writes \
               moves the deadline",
    },
    Subject {
        name: "tower-sessions-redis-always",
        label: "tower-sessions, Redis, always saving",
        bare: AXUM,
        note: "each request saves and moves the deadline, as ours does once a minute",
    },
    Subject {
        name: "axum-session-redis",
        label: "axum_session, Redis",
        bare: AXUM,
        note: "its default: keeps a session in the memory of each process for an hour; saves what was changed, and \
               every ten seconds what is used",
    },
    Subject {
        name: "axum-session-redis-no-memory",
        label: "axum_session, Redis, no memory",
        bare: AXUM,
        note: "asks the server in each request, as the others do",
    },
    Subject {
        name: "actix-session-redis",
        label: "actix-session, Redis",
        bare: ACTIX,
        note: "its default: encrypts the cookie that holds the session's key; only a change moves the deadline",
    },
    Subject {
        name: "ruts-redis",
        label: "ruts, Redis",
        bare: AXUM,
        note: "needs Redis 7.4, and is measured where that is installed; each attribute is read and written on its \
               own when the handler does so, and has a deadline of its own",
    },
    Subject {
        name: "ours-postgres",
        label: "session-axum, PostgreSQL",
        bare: AXUM,
        note: "up to ten connections of its own, which are not tested before each use",
    },
    Subject {
        name: "tower-sessions-postgres",
        label: "tower-sessions, PostgreSQL",
        bare: AXUM,
        note: "sqlx's pool with its defaults, as for all others with PostgreSQL",
    },
    Subject {
        name: "tower-sessions-postgres-always",
        label: "tower-sessions, PostgreSQL, always saving",
        bare: AXUM,
        note: "",
    },
    Subject { name: "axum-session-postgres", label: "axum_session, PostgreSQL", bare: AXUM, note: "" },
    Subject {
        name: "axum-session-postgres-no-memory",
        label: "axum_session, PostgreSQL, no memory",
        bare: AXUM,
        note: "",
    },
    Subject { name: "ruts-postgres", label: "ruts, PostgreSQL", bare: AXUM, note: "a row for each attribute" },
    Subject {
        name: "ours-memcached",
        label: "session-axum, Memcached",
        bare: AXUM,
        note: "none of the others has a store there",
    },
    Subject {
        name: "ours-firestore",
        label: "session-axum, Firestore's emulator",
        bare: AXUM,
        note: "Google's emulator, measured where it is installed, which is slower than most of the others and counts \
               nothing; a round trip is a call",
    },
    Subject {
        name: "ours-redis-postgres",
        label: "session-axum, Redis before PostgreSQL",
        bare: AXUM,
        note: "two tiers, written through: every change is in PostgreSQL before it is answered; the counts are those \
               of both",
    },
    Subject {
        name: "ours-sqlite",
        label: "session-axum, SQLite",
        bare: AXUM,
        note: "a write-ahead log, synchronous full: what was answered is on disk",
    },
    Subject {
        name: "tower-sessions-sqlite",
        label: "tower-sessions, SQLite",
        bare: AXUM,
        note: "sqlx's defaults for a file, as for axum_session: a rollback journal, synchronous full",
    },
    Subject { name: "axum-session-sqlite", label: "axum_session, SQLite", bare: AXUM, note: "" },
];

const OURS_WITHOUT_SERVER: Subject =
    Subject { name: "ours-memory", label: "session-axum, memory", bare: AXUM, note: "" };

pub struct StoreSubject {
    pub name: &'static str,
    pub label: &'static str,
    pub is_peer: bool,
}

pub const STORES: [StoreSubject; 7] = [
    StoreSubject { name: "sharded-map", label: "64 shards of lock and map", is_peer: false },
    StoreSubject { name: "dashmap", label: "DashMap", is_peer: false },
    StoreSubject { name: "ours", label: "session-core, MemoryStore", is_peer: false },
    StoreSubject { name: "ours-nearly-full", label: "session-core, nearly full", is_peer: false },
    StoreSubject { name: "tower-sessions", label: "tower-sessions, memory", is_peer: true },
    StoreSubject { name: "tower-sessions-moka", label: "tower-sessions, moka", is_peer: true },
    StoreSubject { name: "axum-session", label: "axum_session, memory", is_peer: true },
];
