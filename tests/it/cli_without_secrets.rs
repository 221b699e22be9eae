//! Commands that use the store alone, run by somebody who has no secret of a forge or a chat.

use crate::cli::{Desk, Ran, SECRET, Serving, countersign, execute, ran, tamper, write_ledger};

const WHOLE: &str = "2 entries of 1 deployments: every hash fits\n";

/// A desk whose secrets are all elsewhere: in variables that nobody sets and in a file that isn't there.
fn sealed(listen: &str, store: &str) -> Desk {
    let desk = Desk::new();
    let text = format!(
        "[server]\nlisten = \"{listen}\"\napi_tokens = [{{ env = \"COUNTERSIGN_TEST_UNSET\" }}]\n\
         [store]\nurl = {store}\n\
         [[gitlab]]\nurl = \"http://127.0.0.1:9\"\ntoken = {{ env = \"COUNTERSIGN_TEST_UNSET\" }}\n\
         secret_tokens = [{{ file = \"nowhere/token\" }}]\n\
         [[github]]\napp_id = 1\nprivate_key = {{ file = \"nowhere/key.pem\" }}\n\
         webhook_secrets = [{{ env = \"COUNTERSIGN_TEST_UNSET\" }}]\n\
         [[slack]]\nbot_token = {{ env = \"COUNTERSIGN_TEST_UNSET\" }}\n\
         signing_secrets = [{{ env = \"COUNTERSIGN_TEST_UNSET\" }}]\nteam_ids = [\"T024BE7LD\"]\n"
    );
    std::fs::write(desk.config(), text).unwrap();
    desk
}

fn sealed_with_ledger() -> Desk {
    let desk = Desk::new();
    let sealed = sealed("127.0.0.1:0", &format!("\"{}\"", desk.store()));
    std::fs::rename(sealed.config(), desk.config()).unwrap();
    desk
}

#[test]
fn whoever_uses_the_store_alone_needs_no_secret_of_a_forge() {
    let desk = sealed_with_ledger();
    assert_eq!(desk.run(&["migrate"]).code, 0);
    write_ledger(&desk);
    assert_eq!(desk.run(&["audit", "verify"]).out, WHOLE);
    assert_eq!(desk.run(&["audit", "export"]).out.lines().count(), 2);
    assert_eq!(desk.run(&["jobs", "list"]).out, "nothing was given up\n");
    assert_eq!(desk.run(&["jobs", "retry", "--all"]).code, 0);
    let dropped = desk.run(&["jobs", "drop", "7"]);
    assert_eq!(dropped.code, 1);
    assert!(dropped.err.contains("there is no job"), "{}", dropped.err);
}

#[test]
fn whoever_speaks_to_forges_is_told_what_to_do_about_a_missing_secret() {
    let desk = sealed_with_ledger();
    for arguments in [&["serve"][..], &["check"], &["check", "--offline"]] {
        let Ran { code, err, .. } = desk.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        for wanted in
            ["COUNTERSIGN_TEST_UNSET", "export it before starting, or use { file = … }", "nowhere/key.pem"]
        {
            assert!(err.contains(wanted), "{arguments:?}: {wanted}: {err}");
        }
    }
}

#[test]
fn a_server_is_asked_for_its_health_without_any_secret() {
    let desk = Desk::new();
    let serving = Serving::start(&desk);
    let asks = sealed(&serving.address, "{ env = \"COUNTERSIGN_TEST_UNSET\" }");
    let Ran { code, out, err } = asks.run(&["healthcheck"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "ready\n", ""));
    assert_eq!(serving.end("-TERM").0, 0);
}

#[test]
fn the_secret_of_the_store_itself_is_read() {
    let desk = sealed("127.0.0.1:0", "{ env = \"COUNTERSIGN_TEST_STORE\" }");
    let refused = desk.run(&["migrate"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("`COUNTERSIGN_TEST_STORE` isn't set"), "{}", refused.err);
    assert!(!refused.err.contains("COUNTERSIGN_TEST_UNSET` isn't"), "{}", refused.err);
    let mut migrate = countersign();
    migrate.args(["migrate", "--config"]).arg(desk.config()).env("COUNTERSIGN_TEST_STORE", desk.store());
    assert_eq!(ran(&mut migrate).code, 0);
}

#[test]
fn a_slip_anywhere_in_the_file_ends_every_command() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["migrate"]).code, 0);
    let text = std::fs::read_to_string(desk.config()).unwrap();
    std::fs::write(desk.config(), text.replace("secret_tokens", "secret_tokns")).unwrap();
    for arguments in [
        &["serve"][..],
        &["check"],
        &["migrate"],
        &["audit", "verify"],
        &["audit", "export"],
        &["jobs", "list"],
        &["jobs", "retry", "--all"],
        &["jobs", "drop", "7"],
        &["healthcheck"],
    ] {
        let Ran { code, out, err } = desk.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains("did you mean `secret_tokens`?"), "{arguments:?}: {err}");
        assert!(!err.contains(SECRET), "{arguments:?}: {err}");
    }
}

/// Where there is no configuration: a variable that names one is not looked at either.
fn audit(desk: &Desk, verb: &str, store: &str) -> Ran {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = countersign();
    command.args(["audit", verb, "--store", store]).current_dir(elsewhere.path());
    let plain = ran(&mut command);
    let mut beside = countersign();
    beside.args(["audit", verb, "--store", store, "--config"]).arg(desk.folder.path().join("nowhere.toml"));
    let beside = ran(&mut beside);
    assert_eq!((plain.code, &plain.out, &plain.err), (beside.code, &beside.out, &beside.err));
    plain
}

#[test]
fn a_backup_is_audited_without_a_configuration() {
    let desk = Desk::new();
    write_ledger(&desk);
    let (backup, url) = (desk.folder.path().join("backup.db"), desk.store().replace("ledger", "backup"));
    execute(&desk, format!("VACUUM INTO '{}'", backup.display()));
    let before = std::fs::read(&backup).unwrap();
    tamper(&desk, "UPDATE ledger SET at = at + 1 WHERE seq = 1");

    let (sound, exported) = (audit(&desk, "verify", &url), audit(&desk, "export", &url));
    assert_eq!((sound.code, sound.out.as_str(), sound.err.as_str()), (0, WHOLE, ""));
    assert_eq!((exported.code, exported.out.lines().count()), (0, 2));
    assert!(std::fs::read(&backup).unwrap() == before, "the audit changed the backup");
    let changed = audit(&desk, "verify", &desk.store());
    assert_eq!(changed.code, 1);
    assert!(changed.out.contains("entry 1 of gitlab/30/4711 does not match"), "{}", changed.out);
    assert_eq!(desk.run(&["audit", "verify"]).code, 1, "the configured store is another one");
}

#[test]
fn a_store_that_cannot_be_audited_is_told_and_never_made() {
    let desk = Desk::new();
    let absent = audit(&desk, "verify", &desk.store());
    assert_eq!(absent.code, 2);
    assert!(absent.err.contains("ledger.db") && !desk.folder.path().join("ledger.db").exists());
    for store in
        [format!("postgres//dana:{SECRET}@db/x"), format!("postgres://{SECRET}@[db/x"), String::new()]
    {
        for verb in ["verify", "export"] {
            let refused = audit(&desk, verb, &store);
            assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{store}");
            assert!(refused.err.contains("--store") && !refused.err.contains(SECRET), "{}", refused.err);
        }
    }
}
