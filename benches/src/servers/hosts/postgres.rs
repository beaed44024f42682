use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use super::{Server, ServerWork};
use crate::apps::{self, Description, Kind};
use workspace_tests::PostgresServer;

pub struct Postgres {
    server: PostgresServer,
    runtime: Runtime,
    connection: Mutex<PgConnection>,
}

const WORKS: &str = "the server works";

/// `WITH` is the beginning of some that write.
const COUNT: &str = r"SELECT coalesce(sum(calls), 0)::bigint,
    coalesce(sum(calls) FILTER (WHERE query ~* '^\s*(insert|update|delete|with)\M'), 0)::bigint
    FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'";

impl Postgres {
    /// A server that counts statements, with a database for each application.
    pub fn start() -> Self {
        let mut server = PostgresServer::start().expect("PostgreSQL is installed");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ask = |server: &PostgresServer, statements: &[String]| {
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server.url()).await.expect(WORKS);
                for statement in statements {
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.as_str()))).await.expect(WORKS);
                }
                connection
            })
        };
        ask(&server, &["ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'".to_owned()]);
        server.stop();
        server.restart();
        let apps = apps::ALL.iter().filter(|app| app.kinds.contains(&Kind::Postgres));
        let mut statements: Vec<String> = apps.map(|app| format!("CREATE DATABASE {}", database(app))).collect();
        statements.push("CREATE EXTENSION pg_stat_statements".to_owned());
        let connection = Mutex::new(ask(&server, &statements));
        Postgres { server, runtime, connection }
    }
}

fn database(app: &Description) -> String {
    app.name.replace('-', "_")
}

impl Server for Postgres {
    fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    fn url(&self, addr: SocketAddr, app: &Description) -> String {
        format!("postgres://postgres@{addr}/{}", database(app))
    }

    fn work_so_far(&self) -> Option<ServerWork> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = sqlx::query_as(COUNT).fetch_one(&mut *connection);
        let (commands, writes): (i64, i64) = self.runtime.block_on(counted).expect(WORKS);
        Some(ServerWork { commands: commands as u64, writes: writes as u64 })
    }
}
