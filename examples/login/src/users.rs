//! The users of this application, in a table beside those of the sessions.

use std::path::Path;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::passwords::Passwords;

/// A user. `password_hash` is also the version of their credentials: it changes with the password.
#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub password_hash: String,
}

/// All users.
#[derive(Clone)]
pub struct Users {
    pool: SqlitePool,
    passwords: Passwords,
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL) STRICT";

impl Users {
    /// Opens the file, which must exist.
    pub async fn open(file: impl AsRef<Path>) -> anyhow::Result<Self> {
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Users { pool, passwords: Passwords::new().await? })
    }

    /// Adds a user. `None` if the name is taken.
    pub async fn add(&self, name: &str, password: String) -> anyhow::Result<Option<User>> {
        let password_hash = self.passwords.hash(password).await?;
        let added = sqlx::query("INSERT INTO users (name, password_hash) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(&password_hash)
            .execute(&self.pool)
            .await?;
        let user = User { id: added.last_insert_rowid(), name: name.to_owned(), password_hash };
        Ok((added.rows_affected() == 1).then_some(user))
    }

    /// The user with this id, as a session names its principal.
    pub async fn by_id(&self, id: &str) -> anyhow::Result<Option<User>> {
        self.one("SELECT id, name, password_hash FROM users WHERE id = CAST(? AS INTEGER)", id).await
    }

    /// The user with this name and password.
    pub async fn with_password(&self, name: &str, password: String) -> anyhow::Result<Option<User>> {
        let user = self.one("SELECT id, name, password_hash FROM users WHERE name = ?", name).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let is_right = self.passwords.is_right(password, hash).await?;
        Ok(user.filter(|_| is_right))
    }

    /// Gives a user another password. `None` if it was changed in another window meanwhile.
    pub async fn change_password(&self, user: &User, password: String) -> anyhow::Result<Option<User>> {
        let password_hash = self.passwords.hash(password).await?;
        let changed = sqlx::query("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?")
            .bind(&password_hash)
            .bind(user.id)
            .bind(&user.password_hash)
            .execute(&self.pool)
            .await?;
        Ok((changed.rows_affected() == 1).then(|| User { password_hash, ..user.clone() }))
    }

    async fn one(&self, query: &'static str, value: &str) -> anyhow::Result<Option<User>> {
        let row: Option<(i64, String, String)> = sqlx::query_as(query).bind(value).fetch_optional(&self.pool).await?;
        Ok(row.map(|(id, name, password_hash)| User { id, name, password_hash }))
    }
}
