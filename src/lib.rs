//! Countersign: approve or reject blocked deployments from where you talk.
//!
//! The map of the house, in the order of its arrows:
//!
//! * [`domain`]: the rules, pure. What is approved, by whom, and why.
//! * [`ports`]: traits for what the use cases need from outside, and the values that cross them.
//! * [`net`]: the one HTTP client, and proofs of who sent a webhook.
//! * [`forge`]: GitLab, spoken to and listened to.

pub mod app;
pub mod domain;
pub mod forge;
pub mod net;
pub mod ports;
pub mod sim;
