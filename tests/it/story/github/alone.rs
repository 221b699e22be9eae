//! Sentences that only GitHub has a meaning for.

use super::{Stage, refused};
use crate::story::stage::{Act, Stage as _};
use crate::story::steps::{contains, expect, number};
use countersign::sim::faults::{Action, Rule};
use countersign::sim::github::{CheckRunView, JobSpec, NewPullRequest, NewReview, NewRun, Reviewer};
use std::collections::BTreeMap;

type Told = Result<bool, String>;

impl Stage {
    pub(super) fn act_alone(&mut self, act: &Act<'_>) -> Told {
        Ok(self.reviews(act)? || self.gates(act)? || self.runs_otherwise(act) || self.jobs_otherwise(act))
    }

    /// Reviews of the pull request, and buttons.
    fn reviews(&self, act: &Act<'_>) -> Told {
        let submit = |review: NewReview| {
            self.github.submit_review(self.repository, self.request, act.by, review).map_err(refused)
        };
        match act.words {
            ["reviews", text] => submit(NewReview::comment(text)).map(drop)?,
            ["reviews", "the", "first", "commit", text] => {
                submit(NewReview::comment(text).of(&self.heads[0])).map(drop)?;
            }
            ["approves", "the", "pull", "request"] => submit(NewReview::approve(None)).map(drop)?,
            ["presses", button @ ("Approve" | "Reject"), "of", environment] => {
                let check = self.check_run(environment).ok_or("there is no check run")?;
                self.github.press_button(check.id, &button.to_lowercase(), act.by).map_err(refused)?;
            }
            ["locks", "the", "conversation"] => self.github.lock(self.repository, self.request, true),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What others than our App do at the gate.
    fn gates(&mut self, act: &Act<'_>) -> Told {
        let run = |environment: &str| self.newest(environment).map(|((run, _), _)| run);
        match act.words {
            ["copies", "the", "branch"] => {
                let new = NewPullRequest::new("mine", &self.head, "Mine").from_fork();
                self.github.open_pull_request(self.repository, act.by, new);
            }
            ["starts", environment, "past", "its", "gate"] => {
                self.github.bypass(run(environment)?, environment, act.by).map_err(refused)?;
            }
            ["approves", environment, "as", "its", "reviewer"] => {
                let run = run(environment)?;
                self.github.review_as_reviewer(run, environment, act.by, true).map_err(refused)?;
            }
            ["rejects", environment, "as", "its", "reviewer"] => {
                let run = run(environment)?;
                self.github.review_as_reviewer(run, environment, act.by, false).map_err(refused)?;
            }
            ["starts", "the", "run", "again", "before", "the", "next", "vote", "arrives"] => {
                let run = *self.runs.last().ok_or("nothing runs")?;
                self.github.overtake_next_review(run, act.by);
            }
            ["is", "renamed", login] => {
                self.github.rename_user(act.by, login);
                self.users.insert((*login).to_owned(), act.by);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Runs that other events started.
    fn runs_otherwise(&mut self, act: &Act<'_>) -> bool {
        let (environment, run) = match act.words {
            ["deploys", "to", environment, "on", "a", "schedule"] => {
                (environment, NewRun::new("schedule", "main", &self.head, act.by))
            }
            ["deploys", "to", environment, "from", "the", "merge", "queue"] => {
                let queue = format!("gh-readonly-queue/main/pr-{}-{}", self.request, self.head);
                (environment, NewRun::new("merge_group", &queue, &"c0".repeat(20), act.by))
            }
            ["deploys", "to", environment, "with", "no", "creator"] => {
                (environment, NewRun::push("sell-more", &self.head, act.by).created_by(None))
            }
            ["deploys", "to", environment, "from", "a", "fork"] => {
                self.next_commit();
                let new = NewPullRequest::new("sell-better", &self.head, "Sell better").from_fork();
                self.request = self.github.open_pull_request(self.repository, act.by, new);
                (environment, NewRun::pull_request(self.request, act.by))
            }
            ["deploys", "to", environment, "for", name] => {
                let Some(actor) = self.user(name) else { return false };
                (environment, NewRun::push("sell-more", &self.head, actor).triggered_by(act.by))
            }
            _ => return false,
        };
        self.start(run.title("Sell more").job(JobSpec::new("deploy").environment(environment)));
        true
    }

    /// Runs whose jobs aren't one for each environment.
    fn jobs_otherwise(&mut self, act: &Act<'_>) -> bool {
        let run = NewRun::push("sell-more", &self.head, act.by).title("Sell more");
        let job = |name: &str, environment: &str| JobSpec::new(name).environment(environment);
        let run = match act.words {
            ["deploys", "to", environment, "without", "a", "deployment"] => {
                run.job(job("deploy", environment).without_deployment())
            }
            ["deploys", "to", environment, "quietly", "while", "tests", "run"] => {
                run.job(job("deploy", environment).without_deployment()).job(JobSpec::new("tests"))
            }
            ["deploys", "twice", "to", environment, "at", "once"] => {
                run.job(job("web", environment)).job(job("api", environment))
            }
            ["deploys", "twice", "to", environment, "in", "turn"] => {
                run.job(job("web", environment)).job(job("api", environment).needs("web"))
            }
            ["deploys", "one", "after", "the", "other", "to", first, "and", second] => {
                run.job(job("first", first)).job(job("second", second).needs("first"))
            }
            ["deploys", "to", environment, "while", "tests", "run"] => {
                run.job(job("deploy", environment)).job(JobSpec::new("tests"))
            }
            _ => return false,
        };
        self.start(run);
        true
    }

    pub(super) fn arrange_alone(&mut self, words: &[&str]) -> Told {
        match words {
            [environment, "also", "needs", "a", "review", "by", name] => {
                let reviewer = self.user(name).ok_or("nobody is called so")?;
                let reviewers = [Reviewer::User(reviewer)];
                self.github.set_required_reviewers(self.repository, environment, &reviewers);
            }
            [environment, "also", "waits", minutes, "minutes"] => {
                self.github.set_wait_timer(self.repository, environment, number(minutes)?);
            }
            ["another", "App", "guards", environment, "too"] => {
                let other = self.github.register_app("othergate");
                let acme = self.github.add_org("acme");
                self.github.install(other.id, acme);
                self.github.enable_rule(self.repository, environment, other.id).unwrap();
            }
            ["GitHub", "shuts", "us", "out"] => {
                for path in ["/repos/", "/installation/repositories", "/repositories/"] {
                    let body = r#"{"message":"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource."}"#.to_owned();
                    self.github.add_fault(Rule::new(path, Action::Answer { status: 403, body }));
                }
            }
            ["GitHub", "lets", "us", "in"] => self.github.clear_faults(),
            ["the", "App", "is", "removed"] => self.github.uninstall(self.installation),
            ["the", "App", "is", "back"] => {
                let acme = self.github.add_org("acme");
                self.installation = self.github.install(self.app.id, acme);
            }
            ["the", "timers", "end"] => self.github.end_wait_timers(),
            ["thirty", "days", "pass", "for", environment] => {
                let ((run, _), _) = self.newest(environment)?;
                self.github.time_out(run);
            }
            ["GitHub", "asks", "again"] => self.ask_again()?,
            ["the", "last", "press", "arrives", "again"] => {
                let sent = self.github.deliveries();
                let press = sent.iter().rfind(|one| one.action.as_deref() == Some("requested_action"));
                self.github.redeliver(press.ok_or("nobody pressed anything")?.id);
            }
            ["the", "installation", "is", "suspended"] => self.github.suspend(self.installation, true),
            ["the", "installation", "is", "in", "force", "again"] => {
                self.github.suspend(self.installation, false);
            }
            ["the", "App", "may", "see", "members", "now"] => {
                self.github.set_permissions(self.app.id, &[("members", "read")]);
            }
            ["an", "hour", "has", calls, "calls"] => self.github.set_hourly_limit(number(calls)?),
            ["the", "next", "token", "is", "refused"] => {
                let body = r#"{"message":"Bad credentials"}"#.to_owned();
                let refusal = Action::Answer { status: 401, body };
                self.github.add_fault(Rule::new("/repos/", refusal).times(1));
            }
            ["GitHub", "finds", "us", "too", "busy", "for", seconds, "seconds"] => {
                let retry_after = Some(u64::from(number(seconds)?));
                let busy = Action::TooManyRequests { retry_after };
                self.github.add_fault(Rule::new("/deployment_protection_rule", busy).method("POST").times(1));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The newest request for a decision comes once more, under the GUID that it had.
    fn ask_again(&self) -> Result<(), String> {
        let sent = self.github.deliveries();
        let asked = sent.iter().rfind(|one| one.event == "deployment_protection_rule");
        self.github.redeliver(asked.ok_or("GitHub didn't ask")?.id);
        Ok(())
    }

    pub(super) fn check_alone(&self, words: &[&str]) -> Told {
        match words {
            ["the", "buttons", "of", environment, "are", "there"] => {
                let check = self.check_run(environment).ok_or("there is no check run")?;
                let labels: Vec<&str> = check.buttons.iter().map(|button| button.label.as_str()).collect();
                expect(&labels.join(" "), "Approve Reject")?;
            }
            ["the", "buttons", "of", environment, "are", "gone"] => {
                let check = self.check_run(environment).ok_or("there is no check run")?;
                expect(&check.buttons.len().to_string(), "0")?;
            }
            ["the", "check", "run", "of", environment, "says", part] => {
                let check = self.check_run(environment).ok_or("there is no check run")?;
                contains(&format!("{check:?}"), part)?;
            }
            ["there", "are", "no", "buttons"] => {
                expect(&self.github.check_runs_of(self.repository, &self.head).len().to_string(), "0")?;
            }
            ["GitHub", "was", "told", "of", environment, "at", "most", count, "times"] => {
                let reports = self.reports(environment);
                if reports.len() > number(count)? as usize || reports.is_empty() {
                    return Err(format!("{} times: {reports:#?}", reports.len()));
                }
            }
            ["every", "lost", "hook", "was", "asked", "for", "once"] => self.asked_for_once()?,
            ["no", "limit", "was", "hit"] => expect(&self.github.limit_hits().to_string(), "0")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The newest check run of an environment on the head.
    fn check_run(&self, environment: &str) -> Option<CheckRunView> {
        let here = self.github.check_runs_of(self.repository, &self.head);
        here.into_iter().rfind(|check| check.name == environment)
    }

    fn reports(&self, environment: &str) -> Vec<String> {
        let posted = self.runs.iter().flat_map(|run| self.github.reviews_posted(*run));
        let taken = posted.filter(|one| one.environment == environment && one.status == 204);
        taken.filter(|one| one.state.is_none()).filter_map(|one| one.comment).collect()
    }

    fn asked_for_once(&self) -> Result<(), String> {
        let mut attempts: BTreeMap<String, Vec<Option<u16>>> = BTreeMap::new();
        for one in self.github.deliveries() {
            attempts.entry(one.guid).or_default().push(one.status);
        }
        let again: Vec<_> = attempts.values().filter(|all| all.len() > 1).collect();
        let well = |all: &&Vec<Option<u16>>| {
            all.len() == 2 && all[0].is_none() && all[1].is_some_and(|status| status < 300)
        };
        if again.is_empty() || !again.iter().all(well) {
            return Err(format!("attempts: {again:?}"));
        }
        Ok(())
    }
}
