//! A file for each page: its address, its handlers, and what its template shows.

pub mod admin;
pub mod confirm;
pub mod demo;
pub mod devices;
pub mod session_json;
pub mod settings;
pub mod shop;
pub mod sign_in;
pub mod sign_out;
