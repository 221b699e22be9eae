//! Databases of our own in the PostgreSQL cluster that `tests/postgres` starts.

use anyhow::Context as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::io::{self, Write as _};
use std::str::FromStr as _;
use tokio::runtime::Runtime;
use url::Url;

/// The address of the cluster's own database, with the right to make others.
const ADDRESS: &str = "COUNTERSIGN_TEST_POSTGRES";

/// The cluster. It ends with the script that started it, and with it all its databases.
pub(crate) struct Cluster {
    address: Url,
    runtime: Runtime,
}

impl Cluster {
    /// `None`, and a loud word, where there is none.
    #[expect(clippy::disallowed_methods, reason = "where the cluster is, only the environment knows")]
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        let Ok(address) = std::env::var(ADDRESS) else {
            writeln!(
                io::stderr(),
                "\n!! {ADDRESS} isn't set: POSTGRESQL IS NOT MEASURED. tests/bench starts what is needed.\n"
            )?;
            return Ok(None);
        };
        Ok(Some(Self { address: Url::parse(&address)?, runtime: Runtime::new()? }))
    }

    /// An empty database of this name; its address.
    pub(crate) fn database(&self, name: &str) -> anyhow::Result<String> {
        self.order(format!("CREATE DATABASE \"{name}\""))?;
        let mut address = self.address.clone();
        address.set_path(name);
        Ok(address.into())
    }

    /// Whether what is committed is on disk.
    pub(crate) fn flushes(&self) -> anyhow::Result<bool> {
        self.runtime.block_on(async {
            let mut connection = PgConnectOptions::from_str(self.address.as_str())?.connect().await?;
            let setting: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut connection).await?;
            Ok(setting == "on")
        })
    }

    fn order(&self, statement: String) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            let mut connection = PgConnectOptions::from_str(self.address.as_str())?.connect().await?;
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.context("PostgreSQL")?;
            Ok(())
        })
    }
}
