//! Another process that changes a session.
//!
//! `worker count URL SESSION_ID CLIENTS UPDATES`: so many clients count up the session's attribute
//! `Count` that many times each. Every answer is a line on the standard output, printed once it has
//! come and before the next is asked for.
//!
//! `worker renew URL SESSION_ID`: renews the session's id again and again, each time with one more
//! `Count`. Prints each new id before the store is told, and `done` when it has answered.

use std::fmt::Display;
use std::io::Write;

use session_core::{Error, SessionManager};
use tokio::task::JoinSet;
use workspace_tests::open_store;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, url, id, sizes @ ..] = &arguments[..] else { panic!("TASK URL SESSION_ID") };
    let sessions = SessionManager::builder(open_store(url).await).without_background_purge().build()?;
    match (task.as_str(), sizes) {
        ("count", [clients, updates]) => {
            let clients = clients.parse().expect("a number of clients");
            let updates = updates.parse().expect("a number of updates");
            count_with_clients(&sessions, id, clients, updates).await?;
        }
        ("renew", []) => renew(&sessions, id).await?,
        _ => panic!("no task {task:?} with {sizes:?}"),
    }
    sessions.close().await
}

async fn count_with_clients(sessions: &SessionManager, id: &str, clients: usize, updates: usize) -> Result<(), Error> {
    let mut counting = JoinSet::new();
    for _ in 0..clients {
        counting.spawn(count(sessions.clone(), id.to_owned(), updates));
    }
    while let Some(counted) = counting.join_next().await {
        counted.expect("no client panics")?;
    }
    Ok(())
}

async fn count(sessions: SessionManager, id: String, updates: usize) -> Result<(), Error> {
    for _ in 0..updates {
        let session = sessions.get(&id).await?.ok_or(Error::Gone)?;
        say(session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await?);
    }
    Ok(())
}

async fn renew(sessions: &SessionManager, id: &str) -> Result<(), Error> {
    let mut id = id.to_owned();
    loop {
        let session = sessions.get(&id).await?.ok_or(Error::Gone)?;
        session.renew_id()?;
        let count = session.attr::<u64>("Count")?.unwrap_or(0);
        session.set_attr("Count", &(count + 1))?;
        id = session.id().as_str().to_owned();
        say(&id);
        session.save().await?;
        say("done");
    }
}

fn say(line: impl Display) {
    writeln!(std::io::stdout().lock(), "{line}").expect("somebody reads");
}
