//! Adapters to the chats: what the ports ask for, in each chat's own words.

pub mod mattermost;
mod prose;
pub mod slack;
