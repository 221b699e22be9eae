//! The address of a PostgreSQL database: what sqlx would read otherwise than it was meant, or pass over, is a fault.

use url::Url;

const HELP: &str = "write \"postgres://user:password@host/database\", with signs such as `@`, `/`, `?` and `#` in a \
                    password as %40, %2F, %3F and %23";
const PARAMETERS: &str = "known are `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host`, `hostaddr`, `port`, \
                          `dbname`, `user`, `password`, `application_name` and `options`; signs such as `?` in a \
                          password are written as %3F";
const KNOWN: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// What is wrong with the address, and what to do; neither shows any of it.
pub(super) fn fault(text: &str) -> Option<(&'static str, &'static str)> {
    let not_an_address = Some(("this isn't the address of a PostgreSQL database", HELP));
    let Ok(url) = Url::parse(text) else { return not_an_address };
    if !text.contains("://") || url.fragment().is_some() {
        return not_an_address;
    }
    // A password with a `/` in it ends up in the path, which logs show.
    if text.matches('@').count() > 1 || url.path().contains('@') {
        return Some(("an `@` stands where none can be in the address of a PostgreSQL database", HELP));
    }
    let mut pairs = url.query_pairs();
    if pairs.any(|(key, _)| !KNOWN.contains(&&*key) && !key.starts_with("options[")) {
        return Some(("the address of the PostgreSQL database has a parameter that isn't known", PARAMETERS));
    }
    if url.query_pairs().any(|(key, value)| key == "sslmode" && !MODES.contains(&&*value)) {
        let help =
            "write `disable`, `allow`, `prefer` (the default), `require`, `verify-ca` or `verify-full`";
        return Some(("`sslmode` of the PostgreSQL database can't be this", help));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("postgres://dana:p%40ss%2Fw@db.example.com:6432/ledger")]
    #[case("postgresql://dana@db/ledger?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem")]
    #[case("postgres:///ledger?host=/run/postgresql&options[search_path]=countersign")]
    #[case("postgres://dana@%2Frun%2Fpostgresql/ledger")]
    fn an_address_is_taken(#[case] text: &str) {
        assert_eq!(fault(text), None);
    }

    #[rstest]
    #[case::slash_and_at("postgres://dana:hun@ter/seven@db/ledger", "an `@`")]
    #[case::at("postgres://dana:hun@seven@db/ledger", "an `@`")]
    #[case::number_and_slash("postgres://dana:5/seven@db/ledger", "an `@`")]
    #[case::slash("postgres://dana:hunter/seven@db/ledger", "this isn't")]
    #[case::hash("postgres://dana:5#seven@db/ledger", "this isn't")]
    #[case::no_slashes("postgres:dana:seven@db/ledger", "this isn't")]
    #[case::question_mark(
        "postgres://dana:5?seven@db/ledger",
        "the address of the PostgreSQL database has a parameter"
    )]
    #[case::misspelt(
        "postgres://dana@db/ledger?sslmodee=require",
        "the address of the PostgreSQL database has a parameter"
    )]
    #[case::no_such_mode("postgres://dana@db/ledger?sslmode=verify", "`sslmode`")]
    fn what_would_be_read_otherwise_than_it_was_meant_is_a_fault_that_shows_nothing(
        #[case] text: &str,
        #[case] title: &str,
    ) {
        let (told, help) = fault(text).unwrap();
        assert!(told.starts_with(title), "{told}");
        assert!(!format!("{told}{help}").contains("seven"), "{told} {help}");
    }
}
