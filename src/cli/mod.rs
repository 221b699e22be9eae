//! The command line.
//!
//! * [`wiring`]: the only file that names every adapter.
//! * [`demo`]: the true server against a simulated world.

pub mod demo;
pub mod wiring;
