//! Adapters to the forges: what the ports ask for, in each forge's own words.

mod delivery;
pub mod github;
pub mod gitlab;
pub mod markdown;
