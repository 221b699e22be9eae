//! Countersign: approve or reject blocked deployments from where you talk.
//!
//! The map of the house, in the order of its arrows:
//!
//! * [`domain`]: the rules, pure. What is approved, by whom, and why.
//! * [`ports`]: traits for what the use cases need from outside, and the values that cross them.
//! * [`store`]: where deliveries, jobs and the ledger are kept.

pub mod app;
pub mod domain;
pub mod ports;
pub mod sim;
pub mod store;
