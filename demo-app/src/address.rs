//! Names of stores on the command line, as plain data. Nothing is opened here.

use std::fmt;
use std::str::FromStr;

/// The store that `--store` names.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// In this process's memory.
    Memory,
    /// In this file.
    Sqlite(String),
    /// In the database of this URL.
    Postgres(String),
    /// At the server of this URL.
    Redis(String),
    /// At the servers of this URL.
    Memcached(String),
    /// In this project of Google Cloud.
    Firestore(String),
}

/// The fast store that `--fast` names.
#[derive(Clone, PartialEq, Eq)]
pub enum FastAddress {
    /// This process's memory.
    Memory,
    /// The server of this URL.
    Redis(String),
    /// The servers of this URL.
    Memcached(String),
}

/// Shows the kind alone, because a password may be in the address.
impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreAddress::Memory => "memory",
            StoreAddress::Sqlite(_) => "sqlite",
            StoreAddress::Postgres(_) => "postgres",
            StoreAddress::Redis(_) => "redis",
            StoreAddress::Memcached(_) => "memcached",
            StoreAddress::Firestore(_) => "firestore",
        })
    }
}

impl fmt::Debug for FastAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FastAddress::Memory => "memory",
            FastAddress::Redis(_) => "redis",
            FastAddress::Memcached(_) => "memcached",
        })
    }
}

/// The text names no store. The message lists those that there are.
#[derive(Debug, thiserror::Error)]
#[error("write {0}")]
pub struct UnknownStore(&'static str);

impl FromStr for StoreAddress {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        let url = || text.to_owned();
        match text.split_once(':') {
            None if text == "memory" => Ok(StoreAddress::Memory),
            Some(("sqlite", file)) if !file.is_empty() => Ok(StoreAddress::Sqlite(file.to_owned())),
            Some(("postgres" | "postgresql", _)) => Ok(StoreAddress::Postgres(url())),
            Some(("redis" | "rediss" | "redis+unix", _)) => Ok(StoreAddress::Redis(url())),
            Some(("memcached", _)) => Ok(StoreAddress::Memcached(url())),
            Some(("firestore", project)) if !project.is_empty() => Ok(StoreAddress::Firestore(project.to_owned())),
            _ => Err(UnknownStore("memory, sqlite:FILE, postgres://…, redis://…, memcached://… or firestore:PROJECT")),
        }
    }
}

impl FromStr for FastAddress {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        match text.parse() {
            Ok(StoreAddress::Memory) => Ok(FastAddress::Memory),
            Ok(StoreAddress::Redis(url)) => Ok(FastAddress::Redis(url)),
            Ok(StoreAddress::Memcached(url)) => Ok(FastAddress::Memcached(url)),
            _ => Err(UnknownStore("memory, redis://… or memcached://…")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_store_has_its_address() {
        for (text, address) in [
            ("memory", StoreAddress::Memory),
            ("sqlite:/var/lib/demo.db", StoreAddress::Sqlite("/var/lib/demo.db".to_owned())),
            ("postgres://u:p@host/db", StoreAddress::Postgres("postgres://u:p@host/db".to_owned())),
            ("rediss://host:6379", StoreAddress::Redis("rediss://host:6379".to_owned())),
            ("redis://host:6379", StoreAddress::Redis("redis://host:6379".to_owned())),
            ("memcached://host", StoreAddress::Memcached("memcached://host".to_owned())),
            ("firestore:my-project", StoreAddress::Firestore("my-project".to_owned())),
        ] {
            assert_eq!(text.parse::<StoreAddress>().unwrap(), address);
        }
    }

    #[test]
    fn what_names_no_store_is_refused() {
        for text in ["", "Memory", "sqlite", "sqlite:", "firestore:", "mysql://host/db", "/tmp/file"] {
            assert!(text.parse::<StoreAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_database_is_no_fast_tier() {
        assert_eq!("memory".parse::<FastAddress>().unwrap(), FastAddress::Memory);
        assert!("sqlite:demo.db".parse::<FastAddress>().is_err());
    }
}
