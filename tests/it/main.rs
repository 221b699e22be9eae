//! The one integration binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

mod attacks;
mod attacks_github;
mod backup;
mod bare_root;
mod calls;
mod calls_github;
mod cli;
mod cli_without_secrets;
mod crash;
mod demo;
mod deploy;
mod docs;
mod doctor;
mod doctor_chat;
mod doctor_github;
mod endurance;
mod healthcheck;
mod hostile;
mod house;
mod instances;
mod jobs;
mod leaks;
mod model;
mod outgoing;
mod people;
mod siege;
mod siege_github;
mod story;
mod watched;
