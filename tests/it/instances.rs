//! Several processes on one PostgreSQL database.

use crate::cli::Serving;
use assert_cmd::Command;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::str::FromStr as _;
use url::Url;

/// The cluster that `tests/postgres` starts.
#[expect(clippy::disallowed_methods, reason = "where the cluster is, only the environment knows")]
#[expect(clippy::print_stderr, reason = "what isn't tested is said")]
pub(crate) fn cluster() -> Option<String> {
    let address = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok();
    if address.is_none() {
        assert!(std::env::var("CI").is_err(), "COUNTERSIGN_TEST_POSTGRES isn't set: PostgreSQL isn't tested");
        eprintln!(
            "SKIPPED: COUNTERSIGN_TEST_POSTGRES isn't set; tests/postgres starts a cluster and sets it"
        );
    }
    address
}

pub(crate) async fn order(cluster: &str, statement: String) {
    let mut connection = PgConnectOptions::from_str(cluster).unwrap().connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_every_role_start_together_and_end_by_themselves() {
    let Some(cluster) = cluster() else { return };
    let name = format!("instances_{}", std::process::id());
    order(&cluster, format!("CREATE DATABASE {name}")).await;
    let mut url = Url::parse(&cluster).unwrap();
    url.set_path(&name);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("countersign.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{url}\"\n\
         [[gitlab]]\nurl = \"http://127.0.0.1:9\"\ntoken = \"a token\"\nsecret_tokens = [\"a secret\"]\n\
         [[environment]]\non = \"gitlab\"\nproject = \"acme/**\"\nname = \"production\"\n\
         deploy_access_levels = [{{ access_level = \"maintainer\" }}]\n"
    );
    std::fs::write(&config, text).unwrap();

    let instances: Vec<Serving> = std::thread::scope(|scope| {
        let begin = |arguments, word| {
            let config = &config;
            scope.spawn(move || Serving::begin(config, arguments, word))
        };
        let starting = [
            begin(&[][..], "listening on http://"),
            begin(&["--no-worker"], "listening on http://"),
            begin(&["--no-web"], "working"),
        ];
        starting.map(|instance| instance.join().unwrap()).into()
    });

    for web in &instances[..2] {
        assert_eq!(web.status("/readyz"), "200");
    }
    for arguments in [&["migrate"][..], &["audit", "verify"], &["check", "--offline"]] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("countersign"));
        command.args(arguments).arg("--config").arg(&config).assert().code(0);
    }
    for instance in instances {
        let (code, log) = instance.end("-TERM");
        assert_eq!(code, 0, "{log}");
    }
    order(&cluster, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
