//! Who lives in GitLab, and what is set up there.

use super::Stage;
use crate::story::stage::Switches;
use countersign::sim::clock::HandClock;
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, GroupId, Level, NewHook, ProjectId, ProtectedEnvironment, UserId, Version,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WEBHOOK_TOKEN: &str = "a-webhook-token-of-the-story";
const SIGNING_TOKEN: &str = "whsec_c3RvcnktY291bnRlcnNpZ24tc2lnbmluZy1rZXktMzI=";

type Named<T> = BTreeMap<String, T>;

impl Stage {
    pub(super) async fn raise(clock: &HandClock, switches: &Switches) -> Self {
        let gitlab = GitLab::new(clock.now());
        let url = gitlab.start().await.unwrap();
        let (project, users, groups) = populate(&gitlab);
        Self {
            gitlab,
            clock: clock.clone(),
            switches: switches.clone(),
            url,
            project,
            request: 0,
            users,
            groups,
            head: format!("{:040x}", 1),
            commits: 1,
            address: None,
            hook: 0,
        }
    }

    pub(super) fn configured(&self) -> String {
        let token = self.gitlab.add_token(self.users["countersign"], &["api"]);
        let mut table = format!(
            "[[gitlab]]\nurl = \"{}\"\ntoken = \"{token}\"\nsecret_tokens = [\"{WEBHOOK_TOKEN}\"]\n\
             signing_tokens = [\"{SIGNING_TOKEN}\"]\npoll = \"60s\"\n",
            self.url
        );
        let root = self.gitlab.add_admin("root", "Administrator");
        let sudo = self.gitlab.add_token(root, &["api", "sudo"]);
        if self.switches.on("votes are cast with sudo") {
            let _ = write!(table, "vote_as = \"sudo\"\nsudo_token = \"{sudo}\"\n");
        }
        if self.switches.on("merge-request approvals are ignored") {
            table.push_str("merge_request_approval = \"ignore\"\n");
        }
        table
    }

    /// Merge request, protected environments and hook, as the switches ask for.
    pub(super) fn put_in_place(&mut self) {
        let on = |word: &str| self.switches.on(word);
        let gitlab = &self.gitlab;
        gitlab.set_licensed(!on("GitLab is Free"));
        if on("GitLab is older than 19") {
            gitlab.set_version(Version { major: 18, minor: 11 });
        }
        if !on("GitLab is Free") {
            for name in ["production", "staging", "production/eu", "production/us"] {
                gitlab.protect_environment(self.project, self.protection(name));
            }
        }
        self.hook = gitlab.add_hook(self.project, self.new_hook(!on("GitLab is older than 19")));
        gitlab.add_commit(self.project, &self.head, "Sell more", "Dana");
        self.request = gitlab.open_merge_request(self.project, self.users["dana"], "sell-more", "Sell more");
        gitlab.push(self.project, self.request, self.users["dana"], &self.head).unwrap();
    }

    fn protection(&self, name: &str) -> ProtectedEnvironment {
        let on = |word: &str| self.switches.on(word);
        let deployers = if on("the bot may not start jobs") { Level::OWNER } else { Level::DEVELOPER };
        let protection = ProtectedEnvironment::new(name).deployers(deployers);
        let protection = if on("votes are cast with sudo") {
            protection.rule(ApprovalRule::level(Level::MAINTAINER, 2))
        } else if on("the bot may not approve") {
            protection.rule(ApprovalRule::user(self.users["carol"]))
        } else {
            protection.rule(ApprovalRule::user(self.users["countersign"]))
        };
        if on("maintainers may approve in GitLab too") {
            protection.rule(ApprovalRule::level(Level::MAINTAINER, 1))
        } else {
            protection
        }
    }

    /// A hook to the server with its right tokens.
    pub(crate) fn new_hook(&self, signed: bool) -> NewHook {
        let url = format!("http://{}/hooks/gitlab", self.address.expect("the stage is furnished"));
        let hook = NewHook::new(url).every_event().token(WEBHOOK_TOKEN);
        if signed { hook.signing_token(SIGNING_TOKEN) } else { hook }
    }
}

/// The project `acme/shop` and its people.
fn populate(gitlab: &GitLab) -> (ProjectId, Named<UserId>, Named<GroupId>) {
    let acme = gitlab.add_group("acme", None);
    let project = gitlab.add_project("acme/shop");
    let (mut users, mut groups) = (BTreeMap::new(), BTreeMap::from([("acme".to_owned(), acme)]));
    let people = [("dana", Level::DEVELOPER), ("alice", Level::MAINTAINER), ("bob", Level::MAINTAINER)];
    for (name, level) in people.into_iter().chain([("mallory", Level::REPORTER), ("carol", Level::DEVELOPER)])
    {
        let user = gitlab.add_user(name, name);
        gitlab.add_member(project, user, level);
        users.insert(name.to_owned(), user);
    }
    let bot = gitlab.add_bot("countersign", "Countersign");
    gitlab.add_member(project, bot, Level::MAINTAINER);
    users.insert("countersign".to_owned(), bot);
    let other = gitlab.add_bot("renovate", "Renovate");
    gitlab.add_member(project, other, Level::MAINTAINER);
    users.insert("renovate".to_owned(), other);
    for (path, members) in [("qa", &["alice"][..]), ("sre", &["alice", "bob"][..])] {
        let group = gitlab.add_group(path, Some(acme));
        groups.insert(format!("acme/{path}"), group);
        gitlab.add_group_member(group, bot, Level::GUEST);
        for member in members {
            gitlab.add_group_member(group, users[*member], Level::DEVELOPER);
        }
    }
    (project, users, groups)
}
