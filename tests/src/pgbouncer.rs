use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::postgres_server::{as_its_user, is_root};
use crate::server_process::{ServerProcess, free_port, skip};

/// PgBouncer in transaction mode before a PostgreSQL server: each transaction gets another of three connections.
pub struct PgBouncer {
    addr: SocketAddr,
    _process: ServerProcess,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts it, with further settings; `None` where it is not installed.
    #[track_caller]
    pub fn start(server: SocketAddr, settings: &str) -> Option<Self> {
        let Some(program) = installed() else {
            skip("pgbouncer");
            return None;
        };
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = 3\n\
             server_round_robin = 1\n\
             max_client_conn = 500\n\
             {settings}\n",
            server.port(),
            addr.port()
        );
        std::fs::write(&file, configuration).expect("the file can be written");
        if is_root() {
            let chowned = Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status();
            assert!(chowned.expect("there is chown").success(), "the server's user exists");
        }
        let mut command = as_its_user(&program.to_string_lossy());
        command.push(file.to_string_lossy().into_owned());
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let process = ServerProcess::start(&command, || TcpStream::connect(addr).is_ok());
        Some(PgBouncer { addr, _process: process, _folder: folder })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// On the path, or where Debian puts it, which is not on everybody's.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
