//! What SQLite's errors mean, in plain sentences.

use crate::ports::store::StoreError;

/// SQLite's primary result codes (<https://sqlite.org/rescode.html>).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// A failed statement as the port tells it.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn fault(error: sqlx::Error) -> StoreError {
    let unavailable = |what: &str| StoreError::Unavailable(what.to_owned());
    if let sqlx::Error::Database(database) = &error {
        return unavailable(&sentence(primary_code(database.as_ref()), database.message()));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is foreign and open")]
    match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Unreadable(error.to_string())
        }
        sqlx::Error::PoolTimedOut => unavailable("no connection to the database became free in time"),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => unavailable("the database is closed"),
        sqlx::Error::Io(io) => unavailable(&format!("the database can't be reached: {io}")),
        other => unavailable(&other.to_string()),
    }
}

/// The lowest byte of an extended code is the primary one.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn sentence(code: Option<i32>, message: &str) -> String {
    let known = match code {
        Some(BUSY | LOCKED) => "another process is writing to the database",
        Some(READONLY) => "the database is read-only",
        Some(IOERR) => "the disk failed while reading or writing the database",
        Some(CORRUPT | NOTADB) => "the database file is damaged or no database",
        Some(FULL) => "the disk is full",
        Some(CANTOPEN) => "the database file can't be opened",
        Some(_) | None => return format!("the database refused: {message}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_full_disk_is_called_a_full_disk() {
        assert_eq!(sentence(Some(13), "database or disk is full"), "the disk is full");
        assert_eq!(sentence(Some(1), "no such table"), "the database refused: no such table");
    }
}
