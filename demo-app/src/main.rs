//! An application to copy from: log in, count visits, a shop, devices, settings, log out.
//!
//! Begin to read in [`routes`]. Each page has a file in [`pages`].

#![forbid(unsafe_code)]

mod access;
mod address;
mod browser;
mod cart;
mod frame;
mod https;
mod login;
mod options;
mod page;
mod pages;
mod paths;
mod problem;
mod routes;
mod secrets;
mod server;
mod sessions;
mod site;
mod stop;
mod store;
mod tally;
mod words;

use std::process::ExitCode;

use options::Options;
use secrets::Secrets;
use server::Server;

#[tokio::main]
async fn main() -> ExitCode {
    let secrets = Secrets::in_words(std::env::args());
    let log = secrets.clone();
    tracing_subscriber::fmt().with_writer(move || log.stderr()).with_target(false).init();
    let server = match Server::start(Options::from_command_line(&secrets)).await {
        Ok(server) => server,
        Err(problem) => {
            eprintln!("demo-app: {}", secrets.hidden_in(&one_line(&problem)));
            return ExitCode::from(2);
        }
    };
    match server.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("demo-app: {}", secrets.hidden_in(&one_line(&problem)));
            ExitCode::FAILURE
        }
    }
}

/// A problem with its causes, in one line. Some libraries repeat a cause; here each is said once.
fn one_line(problem: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in problem.chain() {
        let words = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.contains(&words) {
            let separator = if line.is_empty() { "" } else { ": " };
            line = line + separator + &words;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once_in_one_line() {
        let problem = anyhow::anyhow!("refused").context("not available:\nrefused").context("can't open");
        assert_eq!(one_line(&problem), "can't open: not available: refused");
    }
}
