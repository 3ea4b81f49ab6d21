//! Serving the host: connections, the commands that they run, files that they copy.

mod agent;
mod archive;
mod command;
mod connection;
mod copy;
mod running;
mod session;
mod user;

pub(crate) use agent::Agent;
