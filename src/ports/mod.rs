//! What the use cases need from the outside, as traits, and the values that cross them.

pub mod chat;
pub mod clock;
pub mod failure;
pub mod forge;
pub mod inbound;
pub mod inspect;
pub mod meter;
pub mod postings;
pub mod store;
