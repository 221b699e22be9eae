//! Whatever is written, parsing ends, quoting silences, and what is read keeps its promises.
#![no_main]

use countersign::domain::command::{
    LONGEST_REASON, MOST_COMMANDS, Surface, Target, parse_chat, parse_comment,
};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["production", "my production", "production/eu", "staging"];

fuzz_target!(|text: &str| {
    let surface = Surface { handle: "countersign".to_owned(), bare: true };
    let commands = parse_comment(text, &surface).unwrap_or_default();
    assert!(commands.len() <= MOST_COMMANDS);
    assert_eq!(quoted(text, &surface), 0, "a quote was heard");

    for command in commands.into_iter().chain([parse_chat(text)]).flatten() {
        for exact_case in [true, false] {
            let Ok(resolved) = command.resolve(&NAMES, exact_case) else { continue };
            assert!(resolved.reason.is_none_or(|reason| reason.chars().count() <= LONGEST_REASON));
            match resolved.target {
                Target::None => {}
                Target::Number(number) => assert!(number > 0),
                Target::Environment(name) => assert!(NAMES.contains(&name.as_str())),
                Target::Glob { environments, .. } => assert!(!environments.is_empty()),
            }
        }
    }
});

/// How many commands are heard once every line is quoted.
fn quoted(text: &str, surface: &Surface) -> usize {
    let lines = text.split(['\r', '\n']).map(|line| format!("> {line}\n"));
    parse_comment(&lines.collect::<String>(), surface).map_or(usize::MAX, |commands| commands.len())
}
