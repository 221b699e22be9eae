//! What the binary needs at run time: it is run where there is nothing else.

use crate::cli::Serving;
use rstest::rstest;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");
/// Where Debian, and the image, have the certificate authorities.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The files that the binary loads, as `ldd` finds them.
fn libraries() -> Vec<PathBuf> {
    let found = Command::new("ldd").arg(BINARY).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let found = String::from_utf8(found.stdout).unwrap();
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    found.lines().filter_map(path).collect()
}

#[test]
fn the_binary_loads_the_c_libraries_that_the_manual_names_and_no_other() {
    let files = libraries();
    let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
    let names = names.map(|name| name.split(".so").next().unwrap()).filter(|name| !name.starts_with("ld-"));
    let names: BTreeSet<&str> = names.collect();
    assert_eq!(names, BTreeSet::from(["libc", "libgcc_s", "libm"]));
    let manual = fs::read_to_string("README.md").unwrap();
    assert!(names.iter().all(|name| manual.contains(&format!("`{name}`"))));
}

/// A root with the binary, its libraries, a configuration and a folder for the database.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        // Beside the binary, so that a link does instead of a copy.
        let root = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        root.put(Path::new(BINARY), "countersign");
        for library in libraries() {
            root.put(&library, library.strip_prefix("/").unwrap().to_str().unwrap());
        }
        fs::create_dir(root.path("data")).unwrap();
        let config = "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:/data/countersign.db\"\n\
                      [[gitlab]]\nurl = \"https://gitlab.example.com\"\ntoken = \"t\"\nsecret_tokens = [\"s\"]\n";
        fs::write(root.path("countersign.toml"), config).unwrap();
        root
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    fn put(&self, file: &Path, inside: &str) {
        let to = self.path(inside);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let file = file.canonicalize().unwrap();
        if fs::hard_link(&file, &to).is_err() {
            fs::copy(file, to).unwrap();
        }
    }

    /// A command that sees nothing but this root, and no variable; `None` if this machine lets nobody do that.
    fn command(&self, arguments: &[&str]) -> Option<Command> {
        let mut command = way_in()?(self.0.path());
        command.env_clear().arg("/countersign").args(arguments).args(["--config", "/countersign.toml"]);
        Some(command)
    }

    /// The exit code and all that was said.
    fn run(&self, arguments: &[&str]) -> Option<(i32, String)> {
        let output = self.command(arguments)?.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Some((output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned()))
    }
}

fn chroot(root: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/chroot");
    command.arg(root);
    command
}

/// The same for those who aren't root, in a name space of their own.
fn unshare(root: &Path) -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    command.arg("--map-root-user").arg(format!("--root={}", root.display()));
    command
}

/// How the root can be changed here; tried with the root that is there.
fn way_in() -> Option<fn(&Path) -> Command> {
    let goes = |enter: &fn(&Path) -> Command| {
        let tried = enter(Path::new("/")).arg("/bin/true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = [chroot as fn(&Path) -> Command, unshare].into_iter().find(goes);
    if found.is_none() {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "nobody may change the root here: the binary can't be run in a bare one");
        let skipped = "NOT CHECKED: what the binary needs, since nobody may change the root here\n";
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    found
}

/// It serves, is asked, checks its ledger and ends well.
#[rstest]
#[case::with_nothing_else(false)]
#[case::with_certificate_authorities(true)]
fn the_binary_is_at_home_in_a_bare_root(#[case] with_authorities: bool) {
    let root = Root::new();
    let authorities = Path::new("/").join(AUTHORITIES);
    if with_authorities && authorities.exists() {
        root.put(&authorities, AUTHORITIES);
    }
    let Some(serve) = root.command(&["serve"]) else { return };
    let serving = Serving::watch(serve, "listening on http://");
    assert_eq!(serving.status("/readyz"), "200");
    let address = format!("http://{}/readyz", serving.address);
    assert_eq!(root.run(&["healthcheck", "--url", &address]).unwrap(), (0, "ready\n".to_owned()));
    let (code, said) = root.run(&["audit", "verify"]).unwrap();
    assert_eq!(code, 0, "{said}");
    assert_eq!(serving.end("-TERM").0, 0);
    for name in ["tmp", "var", "run", "dev", "proc"] {
        assert!(!root.path(name).exists(), "it made a folder {name}");
    }
}
