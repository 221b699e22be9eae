//! `help`: one line for each verb, taken from the verbs themselves, so that it can't rot.

use super::{Block, Line, Prose, Spelling};
use crate::domain::command::Verb;

/// Everything that can be said to us.
pub fn help(spelling: &Spelling) -> Prose {
    let mut blocks = vec![Block::Paragraph(Line::of("What I understand, one command a line:"))];
    for verb in Verb::ALL {
        let line = Line::default().code(spelling.command(verb.usage())).text(format!(": {}", verb.help()));
        blocks.push(Block::Item(0, line));
    }
    blocks.push(Block::Paragraph(
        Line::of("A target is an environment's name, a pattern such as ")
            .code("production/*")
            .text(", or a deployment's number such as ")
            .code("d4711")
            .text("."),
    ));
    Prose(blocks)
}
