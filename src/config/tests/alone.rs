//! What is taken of a configuration without the rest: the store, the address to listen on.

use super::{MINIMAL, MINIMAL_CHATS, MINIMAL_GITHUB};
use crate::config::{Faults, StoreUrl, load_listen, load_store, store_at};
use secrecy::ExposeSecret;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// Forges and chats, whose secrets are all in the environment, behind these tables.
fn file(tables: &str) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("countersign.toml");
    fs::write(&path, format!("{tables}{MINIMAL}{MINIMAL_GITHUB}{MINIMAL_CHATS}")).expect("written");
    (folder, path)
}

fn store(tables: &str) -> Result<StoreUrl, Faults> {
    let (_folder, path) = file(tables);
    load_store(&path, &|name| match name {
        "DATABASE_URL" => Some("postgres://countersign:pass@db/countersign".to_owned()),
        "UNSET" => None,
        other => panic!("{other} was asked for"),
    })
}

fn listen(tables: &str) -> Result<SocketAddr, Faults> {
    let (_folder, path) = file(tables);
    load_listen(&path)
}

#[test]
fn the_store_is_taken_and_no_other_secret_is_asked_for() {
    let server = "[server]\napi_tokens = [{ env = \"API_TOKEN\" }]\n";
    let by_default = store(server).expect("a store");
    assert!(matches!(by_default, StoreUrl::Sqlite(path) if path == Path::new("countersign.db")));
    let database = store(&format!("{server}[store]\nurl = {{ env = \"DATABASE_URL\" }}\n"));
    let StoreUrl::Postgres(url) = database.expect("a store") else { panic!("no database") };
    assert_eq!(url.expose_secret(), "postgres://countersign:pass@db/countersign");
}

#[test]
fn the_address_to_listen_on_is_taken_without_any_secret() {
    let by_default = listen("[server]\napi_tokens = [{ env = \"API_TOKEN\" }]\n").expect("an address");
    assert_eq!(by_default.to_string(), "127.0.0.1:8080");
    let other = listen("[server]\nlisten = \"[::]:80\"\n[store]\nurl = { env = \"UNSET\" }\n");
    assert_eq!(other.expect("an address").to_string(), "[::]:80");
    let nowhere = listen("[server]\nlisten = \"here\"\n").expect_err("a fault").to_string();
    assert!(nowhere.contains("`listen` isn't an address"), "{nowhere}");
}

#[test]
fn a_secret_of_the_store_must_be_there() {
    let fault = store("[store]\nurl = { env = \"UNSET\" }\n").expect_err("a fault").to_string();
    assert!(fault.contains("`UNSET` isn't set") && fault.contains("export it before starting"), "{fault}");
}

#[test]
fn the_rest_of_the_file_must_be_well_formed() {
    let slip = "[[gitlab]]\ntokn = \"abc-123\"\nurl = 8080\n";
    for faults in [store(slip).expect_err("faults"), listen(slip).expect_err("faults")] {
        let (count, told) = (faults.count(), faults.to_string());
        assert_eq!(count, 2, "{told}");
        assert!(told.contains("did you mean `token`?") && !told.contains("abc-123"), "{told}");
    }
}

#[test]
fn a_store_is_named_by_its_address() {
    let name = Path::new("--store");
    let backup = store_at("sqlite:backup.db", name).expect("a store");
    assert!(matches!(backup, StoreUrl::Sqlite(path) if path == Path::new("backup.db")));
    assert!(matches!(store_at("postgres://db/countersign", name), Ok(StoreUrl::Postgres(_))));
    for address in ["", "backup-7.db", "sqlite:", "sqlite::memory:", "sqlite:backup-7?mode=rw"] {
        let fault = store_at(address, name).expect_err("a fault").to_string();
        assert!(fault.contains("--store") && fault.contains("sqlite:countersign.db"), "{fault}");
        assert!(!fault.contains("backup-7"), "{fault}");
    }
}
