//! Adapters to the chats: what the ports ask for, in each chat's own words.

mod prose;
pub mod slack;
