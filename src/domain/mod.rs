//! The rules, pure: no async, no clock, no network, no database, no forge's or chat's own words.

pub mod actor;
pub mod card;
pub mod chat;
pub mod command;
pub mod decide;
pub mod deployment;
pub mod effect;
pub mod event;
pub mod facts;
pub mod glob;
pub mod id;
pub mod ledger;
pub mod matching;
pub mod notice;
pub mod policy;
pub mod verdict;
pub mod wording;

#[cfg(test)]
mod tests;
