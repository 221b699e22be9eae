//! What is wrong with a configuration, shown at its place in the file. A secret never is.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// One thing found in the file: where it stands (bytes of the text), what it is, and what would work.
#[derive(Debug)]
pub(super) struct Finding {
    /// `None` where it concerns the file as a whole.
    pub(super) span: Option<Range<usize>>,
    pub(super) title: String,
    pub(super) help: String,
}

/// Why a configuration can't be used: every fault there is, in the order of the file. Displayed, each one shows
/// its file, line and a caret, then its remedy. Values that are secret, or could be, are starred out.
#[derive(Debug, thiserror::Error)]
pub struct Faults {
    path: String,
    /// The file's text as it may be shown; as long as the file, so that the spans hold.
    text: String,
    pub(super) findings: Vec<Finding>,
}

impl Faults {
    /// Sorts what was found into the file's order. `text` is shown as it is: star its secrets out before.
    pub(super) fn new(path: &Path, text: String, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.span.as_ref().map(|span| (span.start, span.end)));
        Self { path: path.display().to_string(), text, findings }
    }

    /// One fault of the file as a whole.
    pub(super) fn of_file(path: &Path, title: String, help: &str) -> Self {
        let finding = Finding { span: None, title, help: help.to_owned() };
        Self::new(path, String::new(), vec![finding])
    }

    /// How many faults there are; at least one.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
        let title = Level::ERROR.primary_title(&finding.title);
        let help = Level::HELP.message(&finding.help);
        let Some(span) = finding.span.clone() else {
            return title.element(Origin::path(&self.path)).element(help);
        };
        let caret = AnnotationKind::Primary.span(span);
        title.element(Snippet::source(&self.text).path(&self.path).annotation(caret)).element(help)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
        for finding in &self.findings {
            writeln!(f, "{}\n", renderer.render(&[self.group(finding)]))?;
        }
        let faults = if self.count() == 1 { "fault" } else { "faults" };
        write!(f, "{}: {} {faults}", self.path, self.count())
    }
}

/// Something that can be used as it stands, but hardly means what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// What is odd.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.message, self.remedy)
    }
}

/// The line, counted from 1, on which a byte of the text stands.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}
