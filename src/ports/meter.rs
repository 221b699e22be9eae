//! Counting calls to the outside.

use std::fmt::Debug;

/// Counts the calls to one forge.
pub trait CallMeter: Debug + Send + Sync {
    /// A call was made.
    fn called(&self, call: &MeteredCall<'_>);
}

/// What is counted of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeteredCall<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Status of the answer; `None` if no whole answer came.
    pub status: Option<u16>,
    /// What the answer says is left of a limit: the limit's name (empty where it has none), and calls.
    pub remaining: Option<(&'a str, u64)>,
}
