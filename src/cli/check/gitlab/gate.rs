//! One environment: does its protection on the forge fit our policy?

use super::Doctor;
use super::project::Bot;
use crate::domain::policy::{Entry, Gate, Grantee, Rule, VoteAs};
use crate::ports::inspect::{Protection, Surroundings};

/// An environment's name, its entry in our configuration, and its protection on the forge.
pub(super) type Case<'a> = (&'a str, &'a Entry, Option<&'a Protection>);

impl Doctor<'_> {
    pub(super) async fn environment(&mut self, around: &Surroundings, bot: &Bot<'_>, case: Case<'_>) {
        let (environment, entry, protection) = case;
        let place = format!("{}: {environment}", around.project.path);
        match (entry.gate, entry.vote_as, protection) {
            (Gate::ManualJob, _, protection) => self.manual_job(&place, protection),
            // No entry on a GitLab has this gate: the configuration sees to that.
            (Gate::ProtectionRule, ..) => {}
            (Gate::Native, _, None) => {
                let text = format!("{place} isn't protected, so its deployments don't wait for approvals");
                self.on.report.find(text, remedy(environment, bot));
            }
            (Gate::Native, VoteAs::Bot, Some(protection)) => {
                self.rules(&place, bot, protection);
                self.deploy_access(&place, bot, entry, protection).await;
            }
            (Gate::Native, VoteAs::Sudo, Some(protection)) => {
                self.their_rules(&place, around, protection);
                self.deploy_access(&place, bot, entry, protection).await;
            }
        }
    }

    fn manual_job(&mut self, place: &str, protection: Option<&Protection>) {
        self.on.report.note(format!(
            "{place} is held by a manual job, which is advisory: whoever may run the job can press play"
        ));
        if protection.is_some_and(|known| !known.rules.is_empty() || known.count > 0) {
            let text = format!("{place} asks for approvals on GitLab, which `manual_job` never gives");
            self.on.report.find(text, "set gate = \"native\", or remove the approvals on GitLab");
        }
    }

    /// Ours is the only vote that should be needed, and it must be.
    fn rules(&mut self, place: &str, bot: &Bot<'_>, protection: &Protection) {
        let before = self.on.report.findings();
        let remedy = remedy(&protection.environment, bot);
        let ours = |rule: &&Rule| rule.grantees == [Grantee::UserId(bot.account.id)];
        let own: Vec<&Rule> = protection.rules.iter().filter(ours).collect();
        match (own.as_slice(), protection.rules.is_empty(), protection.count) {
            ([], true, 0) => {
                let text = format!("{place} needs no approvals on GitLab, so it can be released without us");
                self.on.report.find(text, &remedy);
            }
            ([], true, _) => {
                let text =
                    format!("{place} can be released without us: everybody who may deploy can approve it");
                self.on.report.find(text, &remedy);
            }
            ([], false, _) => {
                let text = format!(
                    "{place} can be released without us: no rule is for @{} alone",
                    bot.account.username
                );
                self.on.report.find(text, &remedy);
            }
            ([rule], _, _) if rule.required_approvals == 1 => {}
            (_, _, _) => {
                let text = format!("{place} asks the bot for more than one approval, and it has one vote");
                self.on.report.find(text, &remedy);
            }
        }
        for rule in protection.rules.iter().filter(|rule| !ours(rule)) {
            let (label, needed) = (label(rule), rule.required_approvals);
            let text = format!("{place}: our vote is not enough: the rule for {label} also needs {needed}");
            self.on.report.find(text, &remedy);
        }
        if self.on.report.findings() == before {
            self.on.report.fine(format!("{place} has one rule, for @{} alone", bot.account.username));
        }
    }

    fn their_rules(&mut self, place: &str, around: &Surroundings, protection: &Protection) {
        if protection.rules.is_empty() && protection.count == 0 {
            let text = format!("{place} needs no approvals on GitLab, so there is nothing to vote on");
            self.on.report.find(text, "add approval rules to the protected environment");
        } else if around.creators_may_approve == Some(true) {
            let text = format!("{place}: GitLab lets people approve deployments that they started");
            let remedy =
                "clear \"Allow pipeline triggerer to approve deployment\" in the project's CI/CD settings";
            self.on.report.warn(text, remedy);
        } else {
            self.on.report.fine(format!("{place} is decided by GitLab's own rules"));
        }
    }

    async fn deploy_access(&mut self, place: &str, bot: &Bot<'_>, entry: &Entry, protection: &Protection) {
        if entry.policy.start_when_approved && !self.is_any_of(bot, &protection.deployers).await {
            let text =
                format!("{place}: @{} may not deploy there, so it can't start the job", bot.account.username);
            self.on.report.find(text, "add the bot to the environment's \"Allowed to deploy\"");
        }
    }
}

fn label(rule: &Rule) -> String {
    rule.label.clone().unwrap_or_else(|| "others".to_owned())
}

fn remedy(environment: &str, bot: &Bot<'_>) -> String {
    format!(
        "protect {environment} with exactly one approval rule: {{\"user_id\": {}, \"required_approvals\": 1}}",
        bot.account.id.0
    )
}
