//! SQLite's types under the names that the shared statements use. Its connections keep prepared statements.

use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, Sqlite};

pub(super) use sqlx::sqlite::SqliteConnection as Connection;

pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

pub(super) fn query(text: &'static str) -> Statement {
    sqlx::query(text)
}

pub(super) fn query_as<R>(text: &'static str) -> QueryAs<'static, Sqlite, R, SqliteArguments>
where
    R: for<'r> FromRow<'r, SqliteRow>,
{
    sqlx::query_as(text)
}

pub(super) fn query_scalar<T>(text: &'static str) -> QueryScalar<'static, Sqlite, T, SqliteArguments>
where
    (T,): for<'r> FromRow<'r, SqliteRow>,
{
    sqlx::query_scalar(text)
}
