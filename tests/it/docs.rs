//! What the documentation names is there: files, functions, tables, keys, routes, commands; and its examples can be used.

use countersign::config;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// What an example needs around it that shows no whole configuration: a forge, and the `[[environment]]` that is there
/// already, which its first lines belong to.
const AROUND: &str = "[server]\npublic_url = \"https://countersign.example.com\"\n[[gitlab]]\nurl = \"https://gitlab.example.com\"\ntoken = \"t\"\nsecret_tokens = [\"s\"]\n[[environment]]\non = \"gitlab\"\nproject = \"acme/shop\"\nname = \"production\"\ndeploy_access_levels = [{ group = \"acme/sre\" }]\n";

#[test]
fn links_lead_somewhere() {
    for page in PAGES {
        let text = read(page);
        for link in between(&text, "](", ")").filter(|link| !link.contains("://")) {
            let found = match link.strip_prefix('#') {
                Some(anchor) => text.lines().any(|line| heading(line).as_deref() == Some(anchor)),
                None => Path::new(&link).exists(),
            };
            assert!(found, "{page}: {link} leads nowhere");
        }
    }
}

#[test]
fn files_that_are_named_are_there() {
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for span in spans(&read(page)) {
            let is_path = ["src/", "tests/", "config/"].iter().any(|folder| span.starts_with(folder));
            if is_path && !span.contains('*') {
                assert!(Path::new(&span).exists(), "{page}: there is no {span}");
            }
        }
    }
}

#[test]
fn functions_that_are_named_are_there() {
    let mut source = String::new();
    read_all(Path::new("src"), &mut source);
    let named: BTreeSet<String> = spans(&read("ARCHITECTURE.md"))
        .filter_map(|span| span.strip_suffix("()").map(str::to_owned))
        .collect();
    assert!(named.len() > 20, "the walk names its functions as `name()`");
    for name in named {
        let is_there = ["(", "<"].iter().any(|next| source.contains(&format!("fn {name}{next}")));
        assert!(is_there, "ARCHITECTURE.md: there is no function {name}");
    }
}

#[test]
fn every_table_of_the_store_is_described() {
    let page = read("ARCHITECTURE.md");
    let mut schema = String::new();
    for file in fs::read_dir("src/store/sqlite/migrations").unwrap() {
        schema.push_str(&read(file.unwrap().path().to_str().unwrap()));
    }
    for table in between(&schema, "CREATE TABLE ", " (").filter(|table| table != "probe") {
        assert!(
            page.contains(&format!("\n| `{table}` |")),
            "ARCHITECTURE.md doesn't describe the table {table}"
        );
    }
}

#[test]
fn keys_of_the_configuration_are_in_its_manual() {
    let page = read("README.md");
    let section = between(&page, "\n## Configuration\n", "\n## ").next().unwrap();
    let words = spans(&section).flat_map(|span| {
        span.split(|c: char| !c.is_ascii_lowercase() && c != '_').map(str::to_owned).collect::<Vec<_>>()
    });
    for key in words.filter(|word| word.contains('_')) {
        assert!(config::DEFAULTS.contains(&key), "README.md: config/default.toml has no {key}");
    }
}

#[test]
fn examples_of_the_configuration_can_be_used() {
    let page = read("README.md");
    let examples: Vec<String> = between(&page, "```toml\n", "```").collect();
    assert_eq!(examples.len(), 5);
    for example in examples {
        let whole = if example.contains("[server]") { example } else { format!("{AROUND}{example}") };
        // The file of a key is the reader's own.
        let whole = whole.replace("{ file = \"countersign.pem\" }", "{ env = \"KEY\" }");
        let secret = |name: &str| {
            let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";
            let token = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
            let text = match name {
                "KEY" => key,
                "SLACK_BOT_TOKEN" => "xoxb-1",
                _ => token,
            };
            Some(text.to_owned())
        };
        let checked = config::parse(&whole, Path::new("README.md"), &secret);
        let checked = checked.unwrap_or_else(|faults| panic!("{faults}\n{whole}"));
        assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    }
}

#[test]
fn routes_are_those_that_are_served() {
    let served: BTreeSet<String> = between(&read("src/web/mod.rs"), ".route(\"", "\"").collect();
    let told: BTreeSet<String> = spans(&read("README.md"))
        .filter_map(|span| {
            span.strip_prefix("GET /").or(span.strip_prefix("POST /")).map(|path| format!("/{path}"))
        })
        .collect();
    assert_eq!(told, served);
}

#[test]
fn commands_and_their_options_exist() {
    let text = PAGES.map(read).concat();
    let lines = between(&text, "```sh\n", "```").flat_map(|block| {
        let block = block.replace("cargo run -- ", "countersign ");
        block
            .lines()
            .filter_map(|line| line.strip_prefix("countersign ").map(str::to_owned))
            .collect::<Vec<_>>()
    });
    let mut checked = 0;
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().take_while(|word| *word != "#").collect();
        let verbs = words.iter().take_while(|word| !word.starts_with('-'));
        let help =
            assert_cmd::Command::new(env!("CARGO_BIN_EXE_countersign")).args(verbs).arg("--help").output();
        let help = help.unwrap();
        assert!(help.status.success(), "countersign {line}: there is no such command");
        let help = String::from_utf8(help.stdout).unwrap();
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "countersign {line}: there is no option {option}");
        }
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} commands were found");
}

fn read(page: &str) -> String {
    fs::read_to_string(page).unwrap()
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every piece of a text between two marks.
fn between(text: &str, before: &str, after: &str) -> impl Iterator<Item = String> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split_once(after).map(|(piece, _)| piece.to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Code spans, outside of code blocks.
fn spans(text: &str) -> impl Iterator<Item = String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The anchor of a heading.
fn heading(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    Some(kept.collect::<String>().replace(' ', "-"))
}

/// A set that plays something else than it was asked for would pass for the one that was meant.
#[test]
fn a_set_of_runs_that_cannot_be_played_is_refused_with_the_usage() {
    for words in
        ["--runs 0", "--runs abc", "--kind nonsense", "--database mysql", "--instances 2", "--seed -1"]
    {
        let mut script = std::process::Command::new("tests/crash");
        // Without cargo nothing would be played if it weren't refused.
        let told = script.args(words.split(' ')).env("PATH", "/usr/bin:/bin").output().unwrap();
        let usage = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(2), "{words}: {usage}");
        assert!(usage.contains("tests/crash [--kind crash|fault]"), "{words}: {usage}");
    }
}
