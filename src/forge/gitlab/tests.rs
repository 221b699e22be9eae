//! The adapter against the twin, over real HTTP.
