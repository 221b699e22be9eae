//! Countersign: approve or reject blocked deployments from where you talk.
//!
//! The map of the house, in the order of its arrows:
//!
//! * [`cli`]: the command line, and the only place that names every adapter.
//! * [`web`]: the HTTP server: hooks in, health out.
//! * [`app`]: the use cases, from a stored delivery to a told world.
//! * [`forge`]: GitLab and GitHub, behind the ports.
//! * [`chat`]: Slack and Mattermost, behind the ports.
//! * [`net`]: the one HTTP client, and signatures.
//! * [`store`]: where deliveries, jobs and the ledger are kept.
//! * [`config`]: the file that says who may approve what; read once, every fault shown at once.
//! * [`ports`]: traits for what the use cases need from outside, and the values that cross them.
//! * [`domain`]: the rules, pure. What is approved, by whom, and why.
//! * [`sim`]: the twin of the outside world, for tests and the demo; it knows none of the others.

pub mod app;
pub mod chat;
pub mod cli;
pub mod config;
pub mod domain;
pub mod forge;
pub mod net;
pub mod ports;
pub mod sim;
pub mod store;
pub mod web;
