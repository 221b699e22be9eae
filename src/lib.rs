//! Countersign: approve or reject blocked deployments from where you talk.
//!
//! The map of the house, in the order of its arrows:
//!
//! * [`domain`]: the rules, pure. What is approved, by whom, and why.
//! * [`ports`]: traits for what the use cases need from outside, and the values that cross them.
//! * [`config`]: the file that says who may approve what; read once, every fault shown at once.

pub mod config;
pub mod domain;
pub mod ports;
pub mod sim;
