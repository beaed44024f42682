//! Passwords are kept as hashes that take long to make: Argon2id, with the parameters that its crate recommends.

use std::sync::Arc;

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The shortest password, in characters.
pub const SHORTEST_PASSWORD: usize = 8;

/// Each hash takes 19 MiB of memory and a core for some time. Beyond this, requests wait for their turn.
const HASHES_AT_ONCE: usize = 4;

/// Makes and checks hashes, on threads that may be busy.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// A hash of no user's password, to be compared with where there is no user.
    of_nobody: Arc<str>,
}

impl Passwords {
    pub async fn new() -> anyhow::Result<Self> {
        let of_nobody = spawn_blocking(|| hash("the password of nobody")).await??.into();
        Ok(Passwords { turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)), of_nobody })
    }

    /// A new hash of a password.
    pub async fn hash(&self, password: String) -> anyhow::Result<String> {
        let _turn = self.turns.acquire().await?;
        spawn_blocking(move || hash(&password)).await?
    }

    /// Whether a hash is that of a password. Takes as long where there is no hash, so that a stranger who measures the
    /// time does not learn which users there are.
    pub async fn is_right(&self, password: String, hash: Option<&str>) -> anyhow::Result<bool> {
        let _turn = self.turns.acquire().await?;
        let (compared, exists) = (hash.unwrap_or(&self.of_nobody).to_owned(), hash.is_some());
        spawn_blocking(move || {
            let hash = PasswordHash::new(&compared).context("a stored hash is none")?;
            let is_right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
            Ok(is_right && exists)
        })
        .await?
    }
}

fn hash(password: &str) -> anyhow::Result<String> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}
