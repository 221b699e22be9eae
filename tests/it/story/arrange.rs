//! The sentences that tell how the world behaves.

use super::stage::Stage;
use super::steps::number;
use super::world::World;
use countersign::sim::faults::{Action, HookFaults, Rule};

/// Sets the world up as a sentence says; `false` when it says something else.
pub(super) async fn arranged<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    if hooks(world, words) || unwell::<S>(&world.stage, words)? || world.stage.arrange(words)? {
        return Ok(true);
    }
    match words {
        [count, "second" | "seconds", "pass" | "passes"] => world.advance(i64::from(number(count)?)).await,
        [count, "minutes" | "minute", "pass" | "passes"] => {
            world.advance(i64::from(number(count)?) * 60).await;
        }
        [count, "hours" | "hour", "pass" | "passes"] => world.advance(i64::from(number(count)?) * 3600).await,
        ["countersign", "stops"] => world.stop().await,
        ["countersign", "starts", "again"] => world.start().await,
        ["calls", "are", "counted"] => world.stage.clear_calls(),
        _ => return Ok(false),
    }
    Ok(true)
}

fn hooks<S: Stage>(world: &mut World<S>, words: &[&str]) -> bool {
    let hooks = |faults: HookFaults| world.stage.set_hook_faults(faults);
    match words {
        ["every", "hook", "is", "lost"] => {
            hooks(HookFaults { lose_everything: true, ..HookFaults::default() });
        }
        ["the", "next", "hook", "is", "lost"] => hooks(HookFaults { lose_next: 1, ..HookFaults::default() }),
        ["hooks", "arrive", "twice"] => hooks(HookFaults { duplicate: true, ..HookFaults::default() }),
        ["hooks", "arrive", "in", "reverse", "order"] => {
            hooks(HookFaults { reverse: true, ..HookFaults::default() });
        }
        ["hooks", "arrive", "again"] => hooks(HookFaults::default()),
        ["hooks", "are", "held", "back"] => world.hooks_arrive = false,
        ["the", "hooks", "are", "let", "go"] => world.hooks_arrive = true,
        _ => return false,
    }
    true
}

/// `the forge answers 500 to everything` and its kin; `votes` may also be a path, `/approval`.
fn unwell<S: Stage>(stage: &S, words: &[&str]) -> Result<bool, String> {
    let ["the", "forge", words @ ..] = words else { return Ok(false) };
    let path = |what: &str| match what {
        "everything" | "call" => Ok(String::new()),
        path if path.starts_with('/') => Ok(path.to_owned()),
        what => S::path_of(what).map(str::to_owned).ok_or_else(|| format!("there are no {what} here")),
    };
    let rule = match words {
        ["answers", status, "to", what] => {
            let body = "<html>The forge is not well</html>".to_owned();
            let status = u16::try_from(number(status)?).unwrap_or(500);
            Rule::new(path(what)?, Action::Answer { status, body })
        }
        ["forbids", what] => {
            let body = r#"{"message":"Forbidden"}"#.to_owned();
            Rule::new(path(what)?, Action::Answer { status: 403, body }).method("POST")
        }
        ["acts", "on", "the", "next", "edit", "but", "its", "answer", "is", "lost"] => {
            // One of the two methods is this forge's.
            let edit = Rule::new(path("comment")?, Action::ActThenDrop).times(1);
            stage.add_fault(edit.clone().method("PUT"));
            edit.method("PATCH")
        }
        ["acts", "on", "the", "next", what, "but", "its", "answer", "is", "lost"] => {
            Rule::new(path(what)?, Action::ActThenDrop).method("POST").times(1)
        }
        ["acts", "on", "the", "next", what, "but", "answers", status] => {
            let status = u16::try_from(number(status)?).unwrap_or(502);
            Rule::new(path(what)?, Action::ActThenFail(status)).method("POST").times(1)
        }
        ["cuts", "its", "next", "answer", "to", "a", what] => {
            Rule::new(path(what)?, Action::Truncate).method("POST").times(1)
        }
        ["cuts", "its", "next", "answer", "to", "a", "look", "at", "a", what] => {
            Rule::new(path(what)?, Action::Truncate).method("GET").times(1)
        }
        ["limits", "the", "next", "call", "for", seconds, "seconds"] => {
            let retry_after = Some(u64::from(number(seconds)?));
            Rule::new("", Action::TooManyRequests { retry_after }).times(1)
        }
        ["is", "well", "again"] => {
            stage.clear_faults();
            return Ok(true);
        }
        _ => return Ok(false),
    };
    stage.add_fault(rule);
    Ok(true)
}
