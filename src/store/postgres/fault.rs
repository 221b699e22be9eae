//! What PostgreSQL's errors mean, in plain sentences.

use crate::ports::store::StoreError;

/// A failed statement as the port tells it.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn fault(error: sqlx::Error) -> StoreError {
    let unavailable = |what: &str| StoreError::Unavailable(what.to_owned());
    if let sqlx::Error::Database(database) = &error {
        return unavailable(&sentence(database.code().as_deref().unwrap_or_default(), database.message()));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is foreign and open")]
    match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Unreadable(error.to_string())
        }
        sqlx::Error::PoolTimedOut => unavailable("no connection to the database could be had in time"),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => unavailable("it is shutting down"),
        sqlx::Error::Io(io) => unavailable(&format!("the database can't be reached: {io}")),
        sqlx::Error::Tls(tls) => unavailable(&format!("no trusted connection to the database: {tls}")),
        other => unavailable(&other.to_string()),
    }
}

/// SQLSTATE codes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): five characters, the first two
/// are the class.
fn sentence(code: &str, message: &str) -> String {
    let known = match code {
        "25006" => "the database is read-only",
        "28000" | "28P01" => "the database doesn't let this user in",
        "3D000" => "there is no such database",
        "40001" | "40P01" => "another transaction was in the way",
        "42501" => "the user may not do this in the database",
        "53100" => "the database's disk is full",
        "53300" => "the database takes no further connections",
        "55P03" => "another transaction holds what this one needs",
        "57014" => "the database took too long",
        "57P01" | "57P02" | "57P03" => "the database is starting or shutting down",
        other if other.starts_with("08") => "the connection to the database was lost",
        other if other.starts_with("58") => "the disk failed while reading or writing the database",
        _ => return format!("the database refused: {message}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_full_disk_is_called_a_full_disk() {
        assert_eq!(sentence("53100", "could not extend file"), "the database's disk is full");
        assert_eq!(sentence("08006", "gone"), "the connection to the database was lost");
        assert_eq!(sentence("42P01", "no such relation"), "the database refused: no such relation");
    }
}
