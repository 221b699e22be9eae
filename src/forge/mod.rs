//! Adapters to the forges: what the ports ask for, in each forge's own words.

pub mod github;
pub mod gitlab;
pub mod markdown;
