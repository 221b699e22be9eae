//! Reading a story's Markdown.

use super::stage::Switches;

/// A story, as written.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// `[[environment]]` tables, when the story brings its own.
    pub(crate) environments: Option<String>,
    /// Words of a line `Given: …`, separated by commas: switches of the world.
    pub(crate) switches: Switches,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// One sentence.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Story {
    /// Reads `toml` blocks, `Given:` lines and list items; an indented line goes on with the item above.
    pub(crate) fn read(text: &str) -> Self {
        let mut story = Self::default();
        let mut toml: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            if let Some(block) = &mut toml {
                if line.starts_with("```") {
                    story.environments = toml.take();
                } else {
                    block.push_str(line);
                    block.push('\n');
                }
            } else if line.starts_with("```toml") {
                toml = Some(String::new());
            } else if let Some(given) = line.strip_prefix("Given: ") {
                let given = given.trim_end_matches('.').split(", ").map(str::to_owned);
                story.switches = Switches(given.collect());
            } else if let Some(step) = line.strip_prefix("- ") {
                story.steps.push(Step { line: index + 1, text: step.trim().to_owned() });
            } else if line.starts_with("  ")
                && let Some(step) = story.steps.last_mut()
            {
                step.text.push(' ');
                step.text.push_str(line.trim());
            }
        }
        assert!(!story.steps.is_empty(), "a story without a step proves nothing");
        story
    }
}
