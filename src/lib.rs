//! Countersign: approve or reject blocked deployments from where you talk.

pub mod sim;
