//! The twin of the outside world.
