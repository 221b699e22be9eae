//! The page, in process.
