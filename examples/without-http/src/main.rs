//! Sessions without HTTP: a TCP server that counts visits. Each line is a command.
//!
//! Start it with `cargo run -p example-without-http`, and talk to it with `nc 127.0.0.1 7000`:
//!
//! | command | answer |
//! |---|---|
//! | `login ann` | `session ID`: the id is the client's to keep |
//! | `resume ID` | `ann`: goes on with a session, also on another connection |
//! | `visit` | `ann: visit 1` |
//! | `logout` | `bye` |

use std::io;

use session_core::{AttrKey, Error, MemoryStore, NewSession, Session, SessionManager};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const VISITS: AttrKey<u32> = AttrKey::new("Visits");
/// The most bytes that one connection may send.
const MAX_BYTES: u64 = 64 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:7000").await?;
    eprintln!("Listening on {}", listener.local_addr()?);
    serve(listener, SessionManager::new(MemoryStore::new())).await
}

async fn serve(listener: TcpListener, sessions: SessionManager) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let client = Client { sessions: sessions.clone(), id: String::new() };
        tokio::spawn(client.talk(stream));
    }
}

/// One connection. It keeps the id and not the session, which may end elsewhere at any moment.
struct Client {
    sessions: SessionManager,
    id: String,
}

impl Client {
    async fn talk(mut self, mut stream: TcpStream) -> io::Result<()> {
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read.take(MAX_BYTES)).lines();
        while let Some(line) = lines.next_line().await? {
            let answer = match self.answer(&line).await {
                Ok(answer) => answer,
                Err(error) => format!("error: {error}"),
            };
            write.write_all(format!("{answer}\n").as_bytes()).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, line: &str) -> Result<String, Error> {
        let (command, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "login" if !argument.is_empty() => self.log_in(argument).await,
            "resume" => self.resume(argument).await,
            "visit" => self.visit().await,
            "logout" => self.log_out().await,
            _ => Ok("error: send `login NAME`, `resume ID`, `visit` or `logout`".to_owned()),
        }
    }

    async fn session(&self) -> Result<Option<Session>, Error> {
        self.sessions.get(&self.id).await
    }

    async fn log_in(&mut self, user: &str) -> Result<String, Error> {
        self.log_out().await?;
        let session = self.sessions.create(NewSession::new().principal(user)).await?;
        self.id = session.id().as_str().to_owned();
        Ok(format!("session {}", self.id))
    }

    async fn resume(&mut self, id: &str) -> Result<String, Error> {
        self.id = id.to_owned();
        let session = self.session().await?;
        Ok(session.map_or_else(not_signed_in, |session| name(&session)))
    }

    async fn visit(&self) -> Result<String, Error> {
        let Some(session) = self.session().await? else { return Ok(not_signed_in()) };
        let visits = session.update_attr(VISITS, |visits| visits.unwrap_or(0) + 1).await?;
        Ok(format!("{}: visit {visits}", name(&session)))
    }

    async fn log_out(&mut self) -> Result<String, Error> {
        if let Some(session) = self.session().await? {
            session.remove();
            session.save().await?; // Nothing is saved by itself without a request.
        }
        self.id.clear();
        Ok("bye".to_owned())
    }
}

fn name(session: &Session) -> String {
    session.principal().as_deref().unwrap_or("nobody").to_owned()
}

fn not_signed_in() -> String {
    "error: not signed in; send `login NAME`".to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    struct Connection(BufReader<TcpStream>);

    impl Connection {
        async fn to(server: SocketAddr) -> Self {
            Connection(BufReader::new(TcpStream::connect(server).await.expect("the server listens")))
        }

        async fn ask(&mut self, command: &str) -> String {
            self.0.write_all(format!("{command}\n").as_bytes()).await.expect("the connection is open");
            let mut answer = String::new();
            self.0.read_line(&mut answer).await.expect("the server answers");
            answer.trim_end().to_owned()
        }
    }

    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(serve(listener, SessionManager::new(MemoryStore::new())));
        address
    }

    /// P77.
    #[tokio::test]
    async fn visits_are_counted_from_login_to_logout_on_any_connection() {
        let server = server().await;
        let (mut first, mut second) = (Connection::to(server).await, Connection::to(server).await);
        let login = first.ask("login ann").await;
        let id = login.strip_prefix("session ").expect("the answer has the id");
        assert_eq!(first.ask("visit").await, "ann: visit 1");
        assert_eq!(second.ask(&format!("resume {id}")).await, "ann");
        assert_eq!(second.ask("visit").await, "ann: visit 2");
        assert_eq!(second.ask("logout").await, "bye");
        assert!(first.ask("visit").await.starts_with("error: not signed in"));
    }

    #[tokio::test]
    async fn an_id_that_the_server_did_not_give_is_no_session() {
        let mut connection = Connection::to(server().await).await;
        assert!(connection.ask("resume AAAAAAAAAAAAAAAAAAAAAAAA").await.starts_with("error: not signed in"));
        assert!(connection.ask("visit").await.starts_with("error: not signed in"));
    }
}
