//! A PostgreSQL cluster of a run's own, which can be stopped and killed without harm to others.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// A cluster in a folder; it ends with this handle.
pub(super) struct OwnCluster {
    programs: PathBuf,
    home: TempDir,
    /// The server runs as this user, since it refuses to run as root.
    user: Option<&'static str>,
}

/// Where the server's programs are, as `tests/postgres` tells.
#[expect(clippy::disallowed_methods, reason = "where they are, only the environment knows")]
pub(super) fn programs() -> Option<PathBuf> {
    std::env::var("COUNTERSIGN_TEST_POSTGRES_PROGRAMS").ok().map(PathBuf::from)
}

impl OwnCluster {
    pub(super) fn start(programs: PathBuf) -> Self {
        let home = tempfile::tempdir().unwrap();
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        let user = is_root.then_some("postgres");
        if let Some(user) = user {
            must(&Command::new("chown").arg(user).arg(home.path()).output().unwrap());
        }
        let own = Self { programs, home, user };
        let words = ["-U", "countersign", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        must(&own.program("initdb").args(words).output().unwrap());
        must(&own.try_start());
        own
    }

    pub(super) fn address(&self) -> String {
        format!("postgres://countersign@localhost/postgres?host={}", self.home.path().display())
    }

    /// Without a farewell: what was committed has to be found in the log at the next start.
    pub(super) fn stop(&self) {
        must(&self.program("pg_ctl").args(["-m", "immediate", "stop"]).output().unwrap());
    }

    /// SIGKILL for the process that all others belong to.
    pub(super) fn kill(&self) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let process = file.lines().next().unwrap();
        must(&Command::new("kill").args(["-KILL", process]).output().unwrap());
    }

    /// Starts it again. After a kill its orphans have to notice first.
    pub(super) async fn start_again(&self) {
        let mut last = self.try_start();
        for _ in 0..100 {
            if last.status.success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = self.try_start();
        }
        must(&last);
    }

    fn try_start(&self) -> Output {
        let home = self.home.path().display();
        // Nothing here has to survive the machine.
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories={home} -c max_connections=100 -c fsync=off"
        );
        let log = self.home.path().join("log");
        // Not by a pipe: the server would keep it open.
        let status = self
            .program("pg_ctl")
            .arg("-l")
            .arg(&log)
            .args(["-o", &options, "-w", "start"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        Output { status, stdout: Vec::new(), stderr: std::fs::read(&log).unwrap_or_default() }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(Path::new("/")).arg("-D").arg(self.data());
        command
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        let _stopped = self.program("pg_ctl").args(["-m", "immediate", "stop"]).output();
    }
}

fn must(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
