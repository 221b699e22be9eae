//! Whatever is written, parsing ends, quoting silences, and what is read keeps its promises: written plainly, it is read
//! as the same.
#![no_main]

use countersign::domain::command::{
    Command, LONGEST_EXCERPT, LONGEST_REASON, MOST_COMMANDS, Resolved, Surface, Target, parse_chat,
    parse_comment,
};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["production", "my production", "production/eu", "staging"];

fuzz_target!(|text: &str| {
    let surface = Surface { handle: "countersign".to_owned(), bare: true };
    let commands = parse_comment(text, &surface).unwrap_or_default();
    assert!(commands.len() <= MOST_COMMANDS);
    assert_eq!(quoted(text, &surface), 0, "a quote was heard");

    if let Ok(typed) = parse_chat(text) {
        assert_eq!(parse_chat(&format!("{} {}", typed.verb.name(), typed.words)).as_ref(), Ok(&typed));
    }
    for command in commands.into_iter().chain([parse_chat(text)]).flatten() {
        for exact_case in [true, false] {
            let Ok(resolved) = command.resolve(&NAMES, exact_case) else { continue };
            let reason = resolved.reason.as_deref().unwrap_or_default();
            assert!(reason.chars().count() <= LONGEST_REASON && reason.trim() == reason);
            match &resolved.target {
                Target::None => {}
                Target::Number(number) => assert!(*number > 0),
                Target::Environment(name) => assert!(NAMES.contains(&name.as_str())),
                Target::Glob { environments, .. } => assert!(!environments.is_empty()),
            }
            let Some(words) = plainly(&resolved) else { continue };
            let again = Command { words, ..command.clone() }.resolve(&NAMES, exact_case);
            assert_eq!(again, Ok(resolved));
        }
    }
});

/// The words that mean this and nothing else; a pattern that was shortened can't be written again.
fn plainly(Resolved { target, reason }: &Resolved) -> Option<String> {
    let target = match target {
        Target::None => String::new(),
        Target::Number(number) => format!("d{number}"),
        Target::Environment(name) => format!("\"{name}\""),
        Target::Glob { pattern, .. } if pattern.chars().count() > LONGEST_EXCERPT => return None,
        Target::Glob { pattern, .. } if pattern.contains('"') => return None,
        Target::Glob { pattern, .. } => format!("\"{pattern}\""),
    };
    Some(reason.as_ref().map_or_else(|| target.clone(), |reason| format!("{target} -- {reason}")))
}

/// How many commands are heard once every line is quoted.
fn quoted(text: &str, surface: &Surface) -> usize {
    let lines = text.split(['\r', '\n']).map(|line| format!("> {line}\n"));
    parse_comment(&lines.collect::<String>(), surface).map_or(usize::MAX, |commands| commands.len())
}
