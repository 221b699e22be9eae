//! The one integration binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

mod attacks;
mod backup;
mod calls;
mod cli;
mod crash;
mod demo;
mod deploy;
mod docs;
mod doctor;
mod doctor_github;
mod healthcheck;
mod house;
mod jobs;
mod people;
mod siege;
mod story;
mod watched;
