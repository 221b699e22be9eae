//! The sentences that tell how the world behaves.

use super::steps::number;
use super::world::World;
use countersign::sim::faults::{Action, HookFaults, Rule};
use countersign::sim::gitlab::{ApprovalRule, Level, ProtectedEnvironment};

/// Sets the world up as a sentence says; `false` when it says something else.
pub(super) async fn arranged(world: &mut World, words: &[&str]) -> Result<bool, String> {
    let hooks = |faults: HookFaults| world.gitlab.set_hook_faults(faults);
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
        ["GitLab", "answers", status, "to", path] => {
            let body = "<html>GitLab is not well</html>".to_owned();
            let status = u16::try_from(number(status)?).unwrap_or(500);
            let path = if *path == "everything" { "" } else { path };
            world.gitlab.add_fault(Rule::new(path, Action::Answer { status, body }));
        }
        ["GitLab", "refuses", "new", "comments"] => {
            let body = r#"{"message":"403 Forbidden"}"#.to_owned();
            world.gitlab.add_fault(Rule::new("/notes", Action::Answer { status: 403, body }).method("POST"));
        }
        ["GitLab", "acts", "on", "the", "next", path, "but", "its", "answer", "is", "lost"] => {
            world.gitlab.add_fault(Rule::new(*path, Action::ActThenDrop).method("POST").times(1));
        }
        ["GitLab", "acts", "on", "the", "next", path, "but", "answers", status] => {
            let status = u16::try_from(number(status)?).unwrap_or(502);
            world.gitlab.add_fault(Rule::new(*path, Action::ActThenFail(status)).method("POST").times(1));
        }
        ["GitLab", "cuts", "its", "next", "answer", "to", method, path] => {
            world.gitlab.add_fault(Rule::new(*path, Action::Truncate).method(*method).times(1));
        }
        ["GitLab", "limits", "the", "next", "call", "for", seconds, "seconds"] => {
            let retry_after = Some(u64::from(number(seconds)?));
            world.gitlab.add_fault(Rule::new("", Action::TooManyRequests { retry_after }).times(1));
        }
        ["GitLab", "is", "well", "again"] => world.gitlab.clear_faults(),
        [count, "second" | "seconds", "pass" | "passes"] => world.advance(i64::from(number(count)?)).await,
        [count, "minutes" | "minute", "pass" | "passes"] => {
            world.advance(i64::from(number(count)?) * 60).await;
        }
        [count, "hours" | "hour", "pass" | "passes"] => world.advance(i64::from(number(count)?) * 3600).await,
        ["countersign", "stops"] => world.stop().await,
        ["countersign", "starts", "again"] => world.start().await,
        ["the", "bot", "may", "approve", environment, "now"] => {
            let protection = ProtectedEnvironment::new(*environment).deployers(Level::DEVELOPER);
            let rule = ApprovalRule::user(world.users["countersign"]);
            world.gitlab.protect_environment(world.project, protection.rule(rule));
        }
        ["calls", "are", "counted"] => world.gitlab.clear_requests(),
        _ => return Ok(false),
    }
    Ok(true)
}
