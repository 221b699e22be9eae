//! One repository: do the environments that our policies cover ask us?

use super::Doctor;
use crate::ports::failure::Failure;
use crate::ports::inspect::{EnvironmentSeen, RepositorySeen};
use url::Url;

impl Doctor<'_> {
    pub(super) async fn repository(&mut self, path: &str) {
        let repository = match self.forge.repository(path).await {
            Err(Failure::NotFound) => {
                let text = format!("{path} isn't among the repositories that the App reaches");
                let remedy =
                    "add it where the App is installed, write its present name, or correct `project`";
                self.on.report.find(text, remedy);
                return;
            }
            answer => self.on.read(path, answer),
        };
        let Some(repository) = repository else { return };
        if repository.archived {
            self.on.report.note(format!("{path} is archived, so nothing is deployed from there"));
            return;
        }
        let answer = self.forge.environments(repository.project.id).await;
        let Some(seen) = self.on.read(&format!("{path}: its environments"), answer) else { return };
        let policies = &self.on.config.policies;
        for environment in &seen {
            if policies.find(self.on.forge, path, &environment.name).is_some() {
                self.environment(&repository, environment).await;
            }
        }
        self.absent(&repository, &seen);
    }

    /// Environments that entries name whole, for repositories that they name whole.
    fn absent(&mut self, repository: &RepositorySeen, seen: &[EnvironmentSeen]) {
        let path = &repository.project.path;
        let entries = self.on.config.policies.of_project(self.on.forge, path);
        let named = entries.iter().filter(|entry| entry.project.literal().is_some());
        for entry in named.filter(|entry| entry.name.literal().is_some()) {
            if !seen.iter().any(|environment| entry.name.matches(&environment.name)) {
                let text = format!("{path} has no environment {}", entry.name);
                let remedy = "make it in the repository's settings, and check again; or correct `name`";
                self.on.report.find(text, remedy);
            }
        }
    }

    async fn environment(&mut self, repository: &RepositorySeen, seen: &EnvironmentSeen) {
        let place = format!("{}: {}", repository.project.path, seen.name);
        let answer = self.forge.asks_us(repository.project.id, &seen.name).await;
        match self.on.read(&format!("{place}: its protection rules"), answer) {
            Some(true) => self.on.report.fine(format!("{place} asks the App before it deploys")),
            Some(false) => {
                let text =
                    format!("{place} doesn't ask the App, so its deployments don't wait for approvals");
                let call = enabling(&self.settings.api_url, self.settings.app_id, repository, &seen.name);
                let plans = if repository.private {
                    "; in private repositories that takes GitHub Enterprise"
                } else {
                    ""
                };
                self.on
                    .report
                    .find(text, format!("let an administrator of the repository run {call}{plans}"));
            }
            None => {}
        }
        self.others(&place, seen);
    }

    /// What holds or passes a deployment beside us.
    fn others(&mut self, place: &str, seen: &EnvironmentSeen) {
        if seen.admins_may_bypass == Some(true) {
            let text = format!("{place}: administrators can start its jobs past every rule, ours too");
            let remedy = "untick \"Allow administrators to bypass configured protection rules\" there";
            self.on.report.warn(text, remedy);
        }
        if seen.has_reviewers {
            let text = format!("{place} also needs one of the reviewers that GitHub asks");
            self.on.report.warn(text, "remove them there, unless both are meant");
        }
        if seen.wait_minutes > 0 {
            let text = format!("{place} also waits for its timer of {} minutes", seen.wait_minutes);
            self.on.report.warn(text, "remove the timer there, unless it is meant");
        }
    }
}

/// The command that enables our rule, safe to be pasted: names are foreign text.
fn enabling(api_url: &Url, app_id: u64, repository: &RepositorySeen, environment: &str) -> String {
    let mut address = api_url.clone();
    if let Ok(mut segments) = address.path_segments_mut() {
        segments.clear().push("repos").extend(repository.project.path.split('/'));
        segments.extend(["environments", environment, "deployment_protection_rules"]);
    }
    let path = address.path().trim_start_matches('/').replace('\'', "%27");
    let host = match api_url.host_str() {
        None | Some("api.github.com") => String::new(),
        Some(host) => format!(" --hostname {}", host.strip_prefix("api.").unwrap_or(host)),
    };
    format!("`gh api{host} --method POST '{path}' -F integration_id={app_id}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Project, ProjectId};
    use rstest::rstest;

    #[rstest]
    #[case::plain(
        "https://api.github.com",
        "production",
        "gh api --method POST 'repos/acme/shop/environments/production/deployment_protection_rules'"
    )]
    #[case::server(
        "https://ghes.example.com/api/v3",
        "prod/eu west",
        "gh api --hostname ghes.example.com --method POST 'repos/acme/shop/environments/prod%2Feu%20west/deployment_protection_rules'"
    )]
    #[case::tenant(
        "https://api.acme.ghe.com",
        "a",
        "gh api --hostname acme.ghe.com --method POST 'repos/acme/shop/environments/a/deployment_protection_rules'"
    )]
    #[case::hostile(
        "https://api.github.com",
        "'; rm -rf $HOME; '",
        "gh api --method POST 'repos/acme/shop/environments/%27;%20rm%20-rf%20$HOME;%20%27/deployment_protection_rules'"
    )]
    fn the_rule_is_enabled_by_one_command(#[case] api: &str, #[case] name: &str, #[case] expected: &str) {
        let project = Project { id: ProjectId(1), path: "acme/shop".to_owned() };
        let repository = RepositorySeen { project, private: false, archived: false };
        let command = enabling(&api.parse().unwrap(), 7, &repository, name);
        assert_eq!(command, format!("`{expected} -F integration_id=7`"));
    }
}
