//! `countersign demo --once`: the story ends as told, and reads the same every time.

use assert_cmd::Command;

#[test]
fn the_story_is_told_to_its_end_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::cargo_bin("countersign")
        .unwrap()
        .args(["demo", "--once"])
        .env_remove("RUST_LOG")
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{told}");
    assert!(output.status.success(), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its folder is removed");
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("demo_once", told);
    });
}

#[test]
fn the_page_and_the_story_exclude_each_other() {
    let both = ["demo", "--once", "--listen", "127.0.0.1:0"];
    Command::cargo_bin("countersign").unwrap().args(both).assert().code(2);
}
