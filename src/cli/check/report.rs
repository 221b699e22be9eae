//! What the doctor found, and how it is told.

use jiff::SignedDuration;
use std::fmt;

/// Clocks this far apart are worth a word.
const ODD: SignedDuration = SignedDuration::from_secs(30);

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Fine,
    Note,
    Warning,
    Finding,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Line {
    weight: Weight,
    text: String,
    remedy: Option<String>,
}

/// Everything that was looked at, in its order.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

impl Report {
    /// As it should be.
    pub(super) fn fine(&mut self, text: impl Into<String>) {
        self.add(Weight::Fine, text, None);
    }

    /// Worth knowing, and nothing to be done about.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.add(Weight::Note, text, None);
    }

    /// It works like this, but hardly as it was meant.
    pub(super) fn warn(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(Weight::Warning, text, Some(remedy.into()));
    }

    /// Something won't work, or isn't safe.
    pub(super) fn find(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(Weight::Finding, text, Some(remedy.into()));
    }

    /// How far the clock of something is from ours. From `refused` on something goes wrong.
    pub(super) fn clocks(
        &mut self,
        name: &str,
        apart: Option<SignedDuration>,
        refused: SignedDuration,
        wrong: &str,
    ) {
        let Some(apart) = apart else { return };
        let text = format!("{name}: its clock and ours are {} seconds apart", apart.as_secs());
        let remedy = "let both keep their time by NTP";
        if apart >= refused {
            self.find(format!("{text}, so that {wrong}"), remedy);
        } else if apart >= ODD {
            self.warn(text, remedy);
        }
    }

    pub(super) fn findings(&self) -> usize {
        self.count(Weight::Finding)
    }

    fn count(&self, weight: Weight) -> usize {
        self.0.iter().filter(|line| line.weight == weight).count()
    }

    fn add(&mut self, weight: Weight, text: impl Into<String>, remedy: Option<String>) {
        self.0.push(Line { weight, text: text.into(), remedy });
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Finding => "finding",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { weight, text, remedy } in &self.0 {
            writeln!(f, "{weight:<8} {text}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:8} -> {remedy}", "")?;
            }
        }
        let plural =
            |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let (findings, warnings) = (self.count(Weight::Finding), self.count(Weight::Warning));
        write!(f, "{}, {}", plural(findings, "finding"), plural(warnings, "warning"))
    }
}
