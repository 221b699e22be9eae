//! What Slack's errors mean: it answers them with 200, `ok: false` and a word.

use crate::chat::prose::one_line;
use crate::ports::failure::{Failure, Refusal};
use serde::Deserialize;
use std::time::Duration;

/// What may be told of an error's word, in characters.
const LONGEST_WORD: usize = 100;

/// What every answer begins with.
#[derive(Deserialize)]
pub(super) struct Said {
    pub(super) ok: bool,
    #[serde(default)]
    error: String,
    /// The scope that is missing.
    needed: Option<String>,
}

/// Sorts an error by what follows from it. `reads`: nothing can have been done.
pub(super) fn failure(said: &Said, reads: bool, wait: Option<Duration>) -> Failure {
    let word = one_line(&said.error, LONGEST_WORD);
    match word.as_str() {
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "service_unavailable"
        | "request_timeout" => Failure::Unavailable {
            what: format!("Slack asks to come back later ({word})"),
            retry_after: wait,
        },
        // By Slack's own words, part of what was asked for may have been done.
        "internal_error" | "fatal_error" if !reads => {
            Failure::UnknownOutcome { what: format!("Slack failed ({word})") }
        }
        "internal_error" | "fatal_error" => {
            Failure::Unavailable { what: format!("Slack failed ({word})"), retry_after: wait }
        }
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "not_allowed_token_type"
        | "org_login_required"
        | "access_denied"
        | "ekm_access_denied"
        | "two_factor_setup_required"
        | "team_access_not_granted" => Failure::Unauthorized(word),
        "channel_not_found" | "message_not_found" | "thread_not_found" | "user_not_found"
        | "users_not_found" | "user_not_visible" => Failure::NotFound,
        "edit_window_closed" | "cant_update_message" => Failure::Refused(Refusal::Locked),
        "missing_scope" => {
            tracing::warn!(needed = said.needed.as_deref(), "the bot token lacks a scope");
            Failure::Refused(Refusal::NoPermission)
        }
        "not_in_channel" | "user_not_in_channel" | "cant_delete_message" | "restricted_action" => {
            Failure::Refused(Refusal::NoPermission)
        }
        _ => Failure::Refused(Refusal::Other(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn said(word: &str) -> Said {
        Said { ok: false, error: word.to_owned(), needed: None }
    }

    #[rstest]
    #[case("channel_not_found", Failure::NotFound)]
    #[case("message_not_found", Failure::NotFound)]
    #[case("user_not_found", Failure::NotFound)]
    #[case("invalid_auth", Failure::Unauthorized("invalid_auth".into()))]
    #[case("account_inactive", Failure::Unauthorized("account_inactive".into()))]
    #[case("edit_window_closed", Failure::Refused(Refusal::Locked))]
    #[case("cant_update_message", Failure::Refused(Refusal::Locked))]
    #[case("missing_scope", Failure::Refused(Refusal::NoPermission))]
    #[case("not_in_channel", Failure::Refused(Refusal::NoPermission))]
    #[case("is_archived", Failure::Refused(Refusal::Other("is_archived".into())))]
    #[case("something_new", Failure::Refused(Refusal::Other("something_new".into())))]
    fn a_word_is_sorted_by_what_follows_from_it(#[case] word: &str, #[case] sorted: Failure) {
        assert_eq!(failure(&said(word), false, None), sorted);
        assert_eq!(failure(&said(word), true, None), sorted);
    }

    #[test]
    fn a_limit_tells_when_to_come_back() {
        let wait = Some(Duration::from_secs(30));
        let Failure::Unavailable { retry_after, .. } = failure(&said("ratelimited"), false, wait) else {
            panic!("a limit is no refusal")
        };
        assert_eq!(retry_after, wait);
    }

    #[test]
    fn a_failed_write_may_have_been_done_and_a_failed_read_was_not() {
        assert!(matches!(failure(&said("fatal_error"), false, None), Failure::UnknownOutcome { .. }));
        assert!(matches!(failure(&said("fatal_error"), true, None), Failure::Unavailable { .. }));
    }
}
