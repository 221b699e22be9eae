//! Sentences that only GitLab has a meaning for.

use super::{Stage, refused};
use crate::story::stage::{Act, Stage as _};
use crate::story::steps::expect;
use countersign::sim::gitlab::{ApprovalRule, JobSpec, Level, ProtectedEnvironment, UserState};

type Told = Result<bool, String>;

impl Stage {
    pub(super) fn act_alone(&mut self, act: &Act<'_>) -> Told {
        Ok(self.talks(act)? || self.votes_in_gitlab(act)? || self.others(act)?)
    }

    fn talks(&mut self, act: &Act<'_>) -> Told {
        if let ["pushes", "a", "commit", "titled", title] = act.words {
            self.next_commit(title);
            return Ok(true);
        }
        let (project, request, by) = (self.project, self.request, act.by);
        match act.words {
            ["writes", text, "internally"] => {
                self.gitlab.comment_internally(project, request, by, text).map(drop).map_err(refused)?;
            }
            ["reacts", "to", "the", "last", "comment"] => {
                let last = self.comments().into_iter().rfind(|said| !said.ours).ok_or("there is none")?;
                self.gitlab.react(last.id, by, "thumbsup").map_err(refused)?;
            }
            ["approves", "the", "merge", "request"] => {
                self.gitlab.approve_merge_request(project, request, by).map_err(refused)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn votes_in_gitlab(&self, act: &Act<'_>) -> Told {
        match act.words {
            ["approves", environment, "in", "GitLab"] => {
                let deployment = self.newest(environment)?.id;
                self.gitlab.approve_deployment(deployment, act.by, None).map_err(refused)?;
            }
            ["rejects", environment, "in", "GitLab"] => {
                let deployment = self.newest(environment)?.id;
                self.gitlab.reject_deployment(deployment, act.by, None).map_err(refused)?;
            }
            ["plays", environment, "in", "GitLab"] => {
                self.gitlab.play_job(self.newest_job(environment)?, act.by).map_err(refused)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn others(&self, act: &Act<'_>) -> Told {
        match act.words {
            ["deploys", "a", "matrix", "of", variants, "to", environment] => {
                let variants: Vec<&str> = variants.split(',').collect();
                let job = JobSpec::new("deploy").environment(*environment).manual();
                self.run_pipeline("sell-more", act.by, job.matrix(&variants));
            }
            ["offers", "to", "stop", environment] => {
                let job = JobSpec::new("stop").environment(*environment).action("stop").manual();
                self.run_pipeline("sell-more", act.by, vec![job]);
            }
            ["deletes", "the", "deployment", "to", environment] => {
                let deployment = self.newest(environment)?.id;
                self.gitlab.delete_deployment(deployment);
            }
            ["is", "blocked", "by", "an", "administrator"] => {
                self.gitlab.set_user_state(act.by, UserState::Blocked);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn arrange_alone(&self, words: &[&str]) -> bool {
        let ["the", "bot", "may", "approve", environment, "now"] = words else { return false };
        let protection = ProtectedEnvironment::new(*environment).deployers(Level::DEVELOPER);
        let rule = ApprovalRule::user(self.users["countersign"]);
        self.gitlab.protect_environment(self.project, protection.rule(rule));
        true
    }

    pub(super) fn check_alone(&self, words: &[&str]) -> Told {
        let ["nobody", "approved", "the", "merge", "request"] = words else { return Ok(false) };
        let request = self.gitlab.merge_request(self.project, self.request).ok_or("it is gone")?;
        expect(&format!("{:?}", request.approved_by), "[]")?;
        Ok(true)
    }
}
