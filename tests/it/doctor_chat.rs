//! `check` against the twins' chats: what it finds, and what it says would mend it.

use assert_cmd::Command;
use countersign::cli::wiring::SystemClock;
use countersign::domain::actor::Account;
use countersign::domain::chat::Link;
use countersign::domain::id::{ChatName, ForgeName, UserId};
use countersign::ports::clock::Clock as _;
use countersign::ports::postings::Postings as _;
use countersign::sim::clock::HandClock;
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, Level, NewHook, ProtectedEnvironment, UserId as GitLabUser,
};
use countersign::sim::mattermost::Mattermost;
use countersign::sim::slack::{NewUser, Slack};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use rstest::rstest;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

const HOOK: &str = "https://countersign.example.com/hooks/gitlab";

/// What the app's manifest asks for.
const SCOPES: [&str; 7] = [
    "commands",
    "chat:write",
    "users:read",
    "channels:history",
    "groups:history",
    "channels:read",
    "groups:read",
];

/// One project, and a channel of each chat that is told of it, as they should be: each test spoils one thing.
struct Ward {
    gitlab: GitLab,
    gitlab_bot: GitLabUser,
    slack: Slack,
    /// alice's account and the channel in Slack.
    in_slack: (String, String),
    mattermost: Mattermost,
    /// The same in Mattermost.
    in_mattermost: (String, String),
    folder: TempDir,
    settings: String,
}

impl Ward {
    async fn new() -> Self {
        let gitlab = GitLab::new(HandClock::at("2100-01-01T08:00:00Z".parse().unwrap()).now());
        let gitlab_url = gitlab.start().await.unwrap();
        gitlab.add_group("acme", None);
        let project = gitlab.add_project("acme/shop");
        let gitlab_bot = gitlab.add_bot("countersign", "Countersign");
        gitlab.add_member(project, gitlab_bot, Level::MAINTAINER);
        let alice = gitlab.add_user("alice", "Alice");
        gitlab.add_member(project, alice, Level::MAINTAINER);
        let gate = ProtectedEnvironment::new("production").deployers(Level::MAINTAINER);
        gitlab.protect_environment(project, gate.rule(ApprovalRule::user(gitlab_bot)));
        gitlab.add_hook(project, NewHook::new(HOOK).every_event().token("sesame"));

        let slack = Slack::new(Arc::new(|| SystemClock.now()));
        let slack_url = slack.start().await.unwrap();
        slack.set_scopes(&SCOPES);
        let alice = slack.add_user(NewUser::member("alice"));
        let in_slack = (alice.clone(), slack.add_channel("deploys", &[&alice]));

        let mattermost = Mattermost::new(Arc::new(|| SystemClock.now()));
        let mattermost_url = mattermost.start().await.unwrap();
        let team = mattermost.add_team("acme");
        let alice = mattermost.add_user("alice");
        let in_mattermost = (alice.clone(), mattermost.add_channel(&team, "deploys", &[&alice]));

        let settings = format!(
            "[[gitlab]]\nurl = \"{gitlab_url}\"\ntoken = {{ file = \"gitlab\" }}\nsecret_tokens = [\"sesame\"]\n\
             [[slack]]\napi_url = \"{slack_url}/api\"\nbot_token = {{ file = \"slack\" }}\n\
             signing_secrets = [\"sesame\"]\nteam_ids = [\"{}\"]\n\
             [[mattermost]]\nurl = \"{mattermost_url}\"\nbot_token = {{ file = \"mattermost\" }}\n\
             command_tokens = [\"sesame\"]\n\
             [[person]]\ngitlab = \"alice\"\nslack = \"{}\"\nmattermost = \"alice\"\n\
             [[environment]]\non = \"gitlab\"\nproject = \"acme/shop\"\nname = \"production\"\n\
             deploy_access_levels = [{{ access_level = \"maintainer\" }}]\n\
             notify = [\"slack:{}\", \"mattermost:acme/deploys\"]\n",
            slack.team(),
            in_slack.0,
            in_slack.1
        );
        let folder = tempfile::tempdir().unwrap();
        Self { gitlab, gitlab_bot, slack, in_slack, mattermost, in_mattermost, folder, settings }
    }

    /// Writes something else into the configuration.
    fn instead_of(&mut self, old: &str, new: &str) {
        assert!(self.settings.contains(old), "{old}: {}", self.settings);
        self.settings = self.settings.replace(old, new);
    }

    /// Exit code and everything that was printed.
    fn check(&self) -> (i32, String) {
        let tokens = [
            ("gitlab", self.gitlab.add_token(self.gitlab_bot, &["api"])),
            ("slack", self.slack.bot_token()),
            ("mattermost", self.mattermost.bot_token()),
        ];
        for (name, token) in &tokens {
            let token = if token.is_empty() { "xoxb-revoked" } else { token };
            std::fs::write(self.folder.path().join(name), token).unwrap();
        }
        let public_url = if self.settings.contains("public_url") {
            ""
        } else {
            "public_url = \"https://countersign.example.com\"\n"
        };
        let store = self.folder.path().join("ledger.db");
        let text =
            format!("[store]\nurl = \"sqlite:{}\"\n[server]\n{public_url}{}", store.display(), self.settings);
        let config = self.folder.path().join("countersign.toml");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::cargo_bin("countersign").unwrap();
        let output = command.args(["check", "--config"]).arg(config).env_remove("RUST_LOG").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("sesame"), "{text}");
        for (_, token) in tokens.iter().filter(|(_, token)| !token.is_empty()) {
            assert!(!text.contains(token), "{text}");
        }
        (output.status.code().unwrap(), text)
    }

    /// Exactly one thing is found, it contains these words, and a remedy follows, which is returned.
    fn finds(&self, words: &str) -> String {
        let (code, text) = self.check();
        assert_eq!(code, 1, "{text}");
        Self::only("finding", words, &text)
    }

    /// Exactly one thing is warned of, and nothing is found.
    fn warns(&self, words: &str) -> String {
        let (code, text) = self.check();
        assert_eq!(code, 0, "{text}");
        Self::only("warning", words, &text)
    }

    fn only(weight: &str, words: &str, text: &str) -> String {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(weight)).collect();
        assert!(lines.len() == 1 && lines[0].contains(words), "{words}: {text}");
        let behind = text.lines().skip_while(|line| !line.starts_with(weight)).nth(1).unwrap();
        behind.trim().strip_prefix("-> ").expect("a remedy").to_owned()
    }

    /// Somebody has spoken before, by an account that had this name then.
    async fn has_linked(&self, chat: &str, name: &str, chat_user: &str) {
        let store = format!("sqlite:{}", self.folder.path().join("ledger.db").display());
        let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
        let store = SqliteStore::open(&store, Access::Serve, around).await.unwrap();
        let account = Account { id: UserId(7), username: "alice".to_owned(), bot: false };
        let link = Link {
            chat: ChatName::new(chat),
            name: name.to_owned(),
            chat_user: chat_user.to_owned(),
            forge: ForgeName::new("gitlab"),
            account,
            made_by: Link::BY_CONFIGURATION.to_owned(),
            made_at: SystemClock.now(),
        };
        store.save_link(&link).await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_up_well_is_called_sound() {
    let ward = Ward::new().await;
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("0 findings, 0 warnings\n"), "{text}");
    for line in [
        "slack: the token is that of the bot @countersign",
        "slack: the app is installed in the workspace T",
        "(deploys): the bot is in it",
        "mattermost: the token is that of the bot @countersign",
        "mattermost:acme/deploys (deploys): the bot is in it",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_slack_does_not_take_is_found() {
    let ward = Ward::new().await;
    ward.slack.revoke_token();
    assert!(ward.finds("slack: the bot's account can't be read").contains("Bot User OAuth Token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_mattermost_does_not_take_is_found() {
    let ward = Ward::new().await;
    ward.mattermost.revoke_tokens(&ward.mattermost.bot_user());
    assert!(ward.finds("mattermost: the bot's account can't be read").contains("bot_token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_in_another_workspace_is_found() {
    let mut ward = Ward::new().await;
    let (team, other) = (ward.slack.team(), ward.slack.add_team("other"));
    ward.instead_of(&format!("team_ids = [\"{team}\"]"), &format!("team_ids = [\"{other}\"]"));
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains(&format!("installed in the workspace {team}, which isn't in `team_ids`")),
        "{text}"
    );
    assert!(text.contains("is of another workspace, so"), "{text}");
}

#[rstest]
#[case("commands")]
#[case("chat:write")]
#[case("users:read")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_without_which_nothing_works_is_found(#[case] lost: &str) {
    let ward = Ward::new().await;
    let kept: Vec<&str> = SCOPES.into_iter().filter(|scope| *scope != lost).collect();
    ward.slack.set_scopes(&kept);
    let remedy = ward.finds(&format!("the token lacks the scope `{lost}`"));
    assert!(remedy.contains("install the app again"), "{remedy}");
}

#[rstest]
#[case("channels:history")]
#[case("groups:history")]
#[case("channels:read")]
#[case("groups:read")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_is_only_missed_is_warned_of(#[case] lost: &str) {
    let ward = Ward::new().await;
    let kept: Vec<&str> = SCOPES.into_iter().filter(|scope| *scope != lost).collect();
    ward.slack.set_scopes(&kept);
    ward.warns(&format!("the token lacks the scope `{lost}`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_are_not_there_are_found() {
    let mut ward = Ward::new().await;
    ward.instead_of(&ward.in_slack.1.clone(), "C0NOWHERE");
    assert!(ward.finds("slack:C0NOWHERE: there is no such channel").contains("/invite @countersign"));
    let mut ward = Ward::new().await;
    ward.instead_of("acme/deploys", "acme/nowhere");
    assert!(ward.finds("mattermost:acme/nowhere: there is no such channel").contains("correct `notify`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_channels_are_found() {
    let ward = Ward::new().await;
    ward.slack.archive(&ward.in_slack.1);
    ward.finds("(deploys) is archived");
    let ward = Ward::new().await;
    ward.mattermost.archive(&ward.in_mattermost.1);
    ward.finds("mattermost:acme/deploys (deploys) is archived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_outside_of_the_channel_is_found() {
    let ward = Ward::new().await;
    ward.slack.kick(&ward.in_slack.1, &ward.slack.bot_user());
    assert_eq!(ward.finds("the bot isn't in it, so nothing is told"), "type `/invite @countersign` there");
    ward.slack.set_scopes(&[SCOPES.as_slice(), &["chat:write.public"]].concat());
    ward.warns("the bot isn't in it, so a message whose answer was lost may be posted twice");
    let ward = Ward::new().await;
    ward.mattermost.kick(&ward.in_mattermost.1, &ward.mattermost.bot_user());
    ward.finds("the bot isn't in it, so nothing is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_channel_that_the_bot_is_not_in_is_found() {
    let mut ward = Ward::new().await;
    let private = ward.slack.add_private_channel("secret", &[&ward.in_slack.0]);
    ward.instead_of(&ward.in_slack.1.clone(), &private);
    assert_eq!(ward.check().0, 0);
    ward.slack.kick(&private, &ward.slack.bot_user());
    ward.finds("there is no such channel, or it is private and the bot isn't in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_is_shared_with_others_is_spoken_of() {
    let ward = Ward::new().await;
    let other = ward.slack.add_team("other");
    let mallory = ward.slack.add_user(NewUser::of_team("mallory", &other));
    ward.slack.invite(&ward.in_slack.1, &mallory);
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("is shared with others") && text.contains("what they say is refused"), "{text}");
}

/// Somebody else than a member of the workspace in alice's place.
async fn with_somebody_in_slack(make: impl Fn(&Slack) -> NewUser) -> Ward {
    let mut ward = Ward::new().await;
    let somebody = ward.slack.add_user(make(&ward.slack));
    ward.slack.invite(&ward.in_slack.1, &somebody);
    ward.instead_of(&ward.in_slack.0.clone(), &somebody);
    ward
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_in_slack_who_have_no_say_are_found() {
    let ward = with_somebody_in_slack(|_| NewUser::guest("carol")).await;
    assert!(ward.finds("is a guest there").contains("[[person]]"));
    let ward = with_somebody_in_slack(|_| NewUser::bot("robot")).await;
    ward.finds("is a bot there");
    let ward = with_somebody_in_slack(|slack| NewUser::of_team("mallory", &slack.add_team("other"))).await;
    ward.finds("is of another workspace, so");
    let ward = Ward::new().await;
    ward.slack.deactivate(&ward.in_slack.0);
    ward.finds("is deactivated there");
    let mut ward = Ward::new().await;
    ward.instead_of(&ward.in_slack.0.clone(), "U0NOBODY");
    let remedy = ward.finds("slack: there is no account U0NOBODY");
    assert_eq!(remedy, "correct the `[[person]]` with `gitlab = \"alice\"`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_in_mattermost_who_have_no_say_are_found() {
    let mut ward = Ward::new().await;
    ward.mattermost.add_bot("robot");
    ward.instead_of("mattermost = \"alice\"", "mattermost = \"robot\"");
    assert!(ward.finds("mattermost: robot is a bot there").contains("[[person]]"));
    let ward = Ward::new().await;
    ward.mattermost.make_guest(&ward.in_mattermost.0);
    ward.finds("mattermost: alice is a guest there");
    let ward = Ward::new().await;
    ward.mattermost.deactivate(&ward.in_mattermost.0);
    ward.finds("mattermost: alice is deactivated there");
    let mut ward = Ward::new().await;
    ward.instead_of("mattermost = \"alice\"", "mattermost = \"nobody\"");
    ward.finds("mattermost: there is no account nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_outside_of_every_channel_is_warned_of() {
    let ward = Ward::new().await;
    ward.mattermost.kick(&ward.in_mattermost.1, &ward.in_mattermost.0);
    ward.warns("mattermost: alice is in none of the channels that are told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_another_account_has_taken_over_is_found() {
    let ward = Ward::new().await;
    ward.has_linked("mattermost", "alice", &ward.in_mattermost.0).await;
    assert_eq!(ward.check().0, 0);
    ward.has_linked("mattermost", "alice", "4xp9fdt77pncbef59f4k1qe83o").await;
    ward.finds("mattermost: alice first meant another account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_whom_the_forge_does_not_know_is_found() {
    let mut ward = Ward::new().await;
    ward.instead_of("gitlab = \"alice\"", "gitlab = \"nobody\"");
    assert_eq!(ward.finds("gitlab: nobody is called nobody"), "correct the `[[person]]` with `mattermost = \"alice\"`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buttons_that_call_back_in_plain_text_are_warned_of() {
    let mut ward = Ward::new().await;
    ward.settings = format!("public_url = \"http://countersign.example.com\"\n{}", ward.settings);
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("warning  mattermost: `public_url` is plain http"), "{text}");
}
