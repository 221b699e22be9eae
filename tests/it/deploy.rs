//! What the server is deployed with: image, systemd unit, Fly. Checked as far as it can be without running them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

const UNIT: &str = "config/countersign.service";

/// The lines of the Dockerfile, continued ones joined, comments left out.
fn dockerfile() -> Vec<String> {
    let text = fs::read_to_string("config/Dockerfile").unwrap().replace("\\\n", " ");
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(str::to_owned).collect()
}

/// What stands behind an instruction, each time it stands there.
fn instructions<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect()
}

/// The words of an instruction in exec form, which needs no shell.
fn exec_form(text: &str) -> Vec<String> {
    let list = text.get(text.find('[').expect("not in exec form")..).unwrap();
    serde_json::from_str(list).unwrap()
}

#[test]
fn the_image_is_pinned_runs_as_nobody_and_checks_itself() {
    let lines = dockerfile();
    for image in instructions(&lines, "FROM") {
        let tag = image.split(' ').next().unwrap().rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{image} is not pinned");
    }
    let package: Table = fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let rust = package["package"]["rust-version"].as_str().unwrap();
    assert!(lines[0].starts_with(&format!("FROM rust:{rust}-")), "{}", lines[0]);

    let last = lines.iter().rposition(|line| line.starts_with("FROM")).unwrap();
    let (build, run) = lines.split_at(last);
    let user = instructions(run, "USER")[0];
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().unwrap()).collect();
    assert!(ids.len() == 2 && !ids.contains(&0), "{user}");
    for wrong in ["RUN", "ADD", "SHELL", "MAINTAINER"] {
        assert!(instructions(run, wrong).is_empty(), "{wrong} has no place in an image without a shell");
    }
    assert!(instructions(build, "RUN").iter().any(|command| command.contains("cargo build --locked")));
    assert!(instructions(run, "ENV").iter().all(|line| !line.contains("TOKEN") && !line.contains("SECRET")));

    let entry = exec_form(instructions(run, "ENTRYPOINT")[0]);
    assert_eq!(entry, ["countersign"]);
    let check = exec_form(instructions(run, "HEALTHCHECK")[0]);
    assert_eq!(check[0], "countersign");
    for words in [&check[1..], &exec_form(instructions(run, "CMD")[0])] {
        let help =
            Command::new(env!("CARGO_BIN_EXE_countersign")).args(words).arg("--help").output().unwrap();
        assert!(help.status.success(), "{words:?}");
    }
}

#[test]
fn everything_that_the_image_is_built_from_is_there_and_is_sent() {
    let lines = dockerfile();
    let ignored = fs::read_to_string(".dockerignore").unwrap();
    let sent: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut copied = BTreeSet::new();
    for copy in instructions(&lines, "COPY").into_iter().filter(|copy| !copy.starts_with("--from")) {
        let words: Vec<&str> = copy.split(' ').collect();
        copied.extend(words[..words.len() - 1].iter().copied());
    }
    assert_eq!(sent, copied);
    for path in &copied {
        assert!(Path::new(path).exists(), "there is no {path}");
    }
    let mut source = Vec::new();
    rust_files(Path::new("src"), &mut source);
    for file in source {
        for piece in fs::read_to_string(&file).unwrap().split("include_str!(\"").skip(1) {
            let included = file.parent().unwrap().join(piece.split('"').next().unwrap());
            let included = included.canonicalize().unwrap();
            let inside = included.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            assert!(copied.iter().any(|path| inside.starts_with(path)), "the build needs {inside:?}");
        }
    }
}

/// What is built into the binary, without its tests.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// Fly's documented keys (<https://fly.io/docs/reference/configuration/>), of what is used here.
const FLY: [(&str, &[&str]); 9] = [
    ("", &["app", "primary_region", "kill_signal", "kill_timeout"]),
    ("build", &["dockerfile", "image", "builder", "args", "build-target"]),
    ("files", &["guest_path", "local_path", "secret_name", "raw_value"]),
    ("mounts", &["source", "destination", "initial_size", "snapshot_retention", "processes"]),
    (
        "http_service",
        &[
            "internal_port",
            "force_https",
            "auto_stop_machines",
            "auto_start_machines",
            "min_machines_running",
        ],
    ),
    (
        "http_service.checks",
        &["grace_period", "interval", "method", "timeout", "path", "protocol", "headers"],
    ),
    ("metrics", &["port", "path"]),
    ("deploy", &["strategy", "release_command", "max_unavailable", "wait_timeout"]),
    ("vm", &["size", "memory", "cpus", "cpu_kind", "processes"]),
];

/// Every key of a table with the names of the tables around it, looked up in [`FLY`].
fn unknown(name: &str, value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| unknown(name, item, wrong)),
        Value::Table(table) => {
            let known = FLY.iter().find(|(table, _)| *table == name).map_or(&[][..], |(_, keys)| *keys);
            for (key, value) in table {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                if FLY.iter().any(|(table, _)| *table == inner) {
                    unknown(&inner, value, wrong);
                } else if !known.contains(&key.as_str()) {
                    wrong.push(inner);
                }
            }
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

#[test]
fn fly_gets_keys_that_it_knows_and_what_the_image_has() {
    let fly: Table = fs::read_to_string("fly.toml").unwrap().parse().unwrap();
    let mut wrong = Vec::new();
    unknown("", &Value::Table(fly.clone()), &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?}");

    let lines = dockerfile();
    let (port, volume) = (instructions(&lines, "EXPOSE")[0], exec_form(instructions(&lines, "VOLUME")[0]));
    assert_eq!(fly["http_service"]["internal_port"].to_string(), port);
    assert_eq!(fly["metrics"]["port"].to_string(), port);
    assert_eq!(fly["mounts"]["destination"].as_str().unwrap(), volume[0]);
    assert!(Path::new(fly["build"]["dockerfile"].as_str().unwrap()).exists());
    let routes = fs::read_to_string("src/web/mod.rs").unwrap();
    for path in [&fly["http_service"]["checks"][0]["path"], &fly["metrics"]["path"]] {
        assert!(routes.contains(&format!(".route({path}")), "{path} isn't served");
    }
    let place = fly["files"][0]["guest_path"].as_str().unwrap();
    assert!(instructions(&lines, "ENV").contains(&format!("COUNTERSIGN_CONFIG={place}").as_str()), "{place}");
}

/// `systemd-analyze` on the unit, with a binary that is there.
fn analyze(unit: &str, words: &[&str]) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.service");
    fs::write(&file, unit.replace("/usr/local/bin/countersign", env!("CARGO_BIN_EXE_countersign"))).unwrap();
    if let Ok(output) = Command::new("systemd-analyze").args(words).arg(&file).output() {
        let text = [output.stdout, output.stderr].concat();
        return Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()));
    }
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let can_be_had = Path::new("/usr/bin/apt-get").exists();
    assert!(!is_ci || !can_be_had, "systemd-analyze is missing: apt-get install systemd");
    let skipped = "NOT CHECKED: config/countersign.service, since there is no systemd-analyze here\n";
    std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    None
}

#[test]
fn the_unit_is_sound() {
    if let Some((sound, text)) = analyze(&fs::read_to_string(UNIT).unwrap(), &["verify", "--man=no"]) {
        assert!(sound, "{text}");
        assert!(!text.contains("countersign.service:"), "{text}");
    }
}

/// A key that systemd doesn't know is a warning of its, and would protect from nothing.
#[test]
fn a_key_that_systemd_does_not_know_is_found() {
    let unit = fs::read_to_string(UNIT).unwrap().replace("ProtectHome=", "ProtectHouse=");
    if let Some((_, text)) = analyze(&unit, &["verify", "--man=no"]) {
        assert!(text.contains("countersign.service:"), "{text}");
    }
}

/// systemd's own measure of what a service could do: 0 nothing, 100 everything.
#[test]
fn the_unit_may_do_little() {
    let asked = ["security", "--offline=true", "--threshold=20"];
    if let Some((little, text)) = analyze(&fs::read_to_string(UNIT).unwrap(), &asked) {
        assert!(little, "{text}");
    }
}
