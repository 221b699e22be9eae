//! PostgreSQL's types under the names that the shared statements use.
//!
//! No statement is prepared under a name: behind PgBouncer in transaction mode the next one may meet another
//! server connection. For the same reason each statement runs inside a transaction: sqlx sends parsing and
//! execution apart, and only a transaction keeps them on one connection.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, Postgres};

pub(super) use sqlx::postgres::PgConnection as Connection;

pub(super) type Statement = Query<'static, Postgres, PgArguments>;

pub(super) fn query(text: &'static str) -> Statement {
    sqlx::query(text).persistent(false)
}

pub(super) fn query_as<R>(text: &'static str) -> QueryAs<'static, Postgres, R, PgArguments>
where
    R: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(text).persistent(false)
}

pub(super) fn query_scalar<T>(text: &'static str) -> QueryScalar<'static, Postgres, T, PgArguments>
where
    (T,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(text).persistent(false)
}
