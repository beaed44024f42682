//! Login, count, logout: a small application with sessions.
//!
//! [`routes`] is the place to start reading; what a visitor does is in [`demo`].

#![forbid(unsafe_code)]

mod access;
mod admin;
#[cfg(feature = "stores")]
mod backends;
mod demo;
mod options;
mod pages;
mod purge;
mod routes;
mod server;
mod store;
mod tally;

use std::process::ExitCode;

use options::Options;
use server::Server;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let server = match Server::start(Options::from_command_line()).await {
        Ok(server) => server,
        Err(problem) => {
            eprintln!("demo-app: {problem:#}");
            return ExitCode::from(2);
        }
    };
    match server.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("demo-app: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
