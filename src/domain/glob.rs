//! Globs.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether it matches.
    pub fn matches(&self, text: &str) -> bool {
        self.0 == text
    }
}
