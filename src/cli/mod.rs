//! The command line.
//!
//! * [`wiring`]: the only file that names every adapter.

pub mod wiring;
