//! `worker URL SESSION_ID CLIENTS UPDATES`: another process that updates a session.
//!
//! So many clients count up the session's attribute `Count` that many times each. Every answer is a
//! line on the standard output, printed once it has come and before the next is asked for.

use std::io::Write;

use session_core::{Error, SessionManager};
use tokio::task::JoinSet;
use workspace_tests::open_store;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, id, clients, updates] = arguments.try_into().expect("URL SESSION_ID CLIENTS UPDATES");
    let clients: usize = clients.parse().expect("a number of clients");
    let updates: usize = updates.parse().expect("a number of updates");
    let sessions = SessionManager::builder(open_store(&url).await).without_background_purge().build()?;
    let mut counting = JoinSet::new();
    for _ in 0..clients {
        counting.spawn(count(sessions.clone(), id.clone(), updates));
    }
    while let Some(counted) = counting.join_next().await {
        counted.expect("no client panics")?;
    }
    sessions.close().await
}

async fn count(sessions: SessionManager, id: String, updates: usize) -> Result<(), Error> {
    for _ in 0..updates {
        let session = sessions.get(&id).await?.ok_or(Error::Gone)?;
        let count = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await?;
        writeln!(std::io::stdout().lock(), "{count}").expect("somebody reads");
    }
    Ok(())
}
