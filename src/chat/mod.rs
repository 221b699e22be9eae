//! Chats behind the ports: each in a folder of its own, none knows another.

pub mod mattermost;
