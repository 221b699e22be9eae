//! The arrows between the rooms (ARCHITECTURE.md), kept by reading the imports.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with those it may know, beside itself.
const ARROWS: [(&str, &[&str]); 11] = [
    ("domain", &[]),
    ("ports", &["domain"]),
    ("app", &["domain", "ports"]),
    ("net", &["domain", "ports"]),
    ("forge", &["domain", "ports", "net"]),
    ("chat", &["domain", "ports", "net"]),
    ("store", &["domain", "ports"]),
    ("config", &["domain"]),
    ("web", &["domain", "ports", "app"]),
    ("sim", &[]),
    ("cli", &["domain", "ports", "app", "net", "forge", "chat", "store", "config", "web", "sim"]),
];

#[test]
fn rooms_know_only_the_rooms_that_the_arrows_allow() {
    let mut wrong = Vec::new();
    for (room, known) in ARROWS {
        for file in rust_files(&Path::new("src").join(room)) {
            for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                for other in rooms_named(line) {
                    if other != room && !known.contains(&other.as_str()) {
                        wrong.push(format!(
                            "{}:{}: {room} knows {other}: {line}",
                            file.display(),
                            number + 1
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_has_its_arrow() {
    let mut rooms: Vec<String> = fs::read_dir("src")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    rooms.sort();
    let mut known: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    known.sort_unstable();
    assert_eq!(rooms, known);
}

/// Adapters of one kind don't know each other either.
#[test]
fn the_domain_is_pure() {
    for file in rust_files(Path::new("src/domain")) {
        let text = fs::read_to_string(&file).unwrap();
        for word in [
            "async ",
            "tokio",
            "reqwest",
            "sqlx",
            "axum",
            "std::fs",
            "std::env",
            "std::net",
            "Timestamp::now",
        ] {
            assert!(!text.contains(word), "{} speaks of {word}", file.display());
        }
    }
}

fn rooms_named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let named = |prefix: &str| {
        code.match_indices(prefix)
            .map(|(at, _)| {
                code.get(at + prefix.len()..)
                    .unwrap_or_default()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            })
            .collect::<Vec<String>>()
    };
    let mut rooms = named("crate::");
    rooms.retain(|room| ARROWS.iter().any(|(known, _)| known == room));
    rooms
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Tests of a room may set up its neighbours; the arrows are about what ships.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tests")) {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
