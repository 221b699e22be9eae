//! What adapters share on the wire: the one HTTP client, and proofs of who sent a webhook.
//!
//! There is no retry here: whatever fails is tried again by the job that asked for it.

pub mod http;
pub mod link;
pub mod signature;
