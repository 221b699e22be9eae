//! What a story needs of a forge, in words that every forge has.

use countersign::sim::clock::HandClock;
use countersign::sim::faults::{HookFaults, Rule, Watcher};
use std::net::SocketAddr;

/// What became of something that a sentence tells.
pub(crate) type Done = Result<(), String>;

/// What a story's `Given:` line asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switches(pub(crate) Vec<String>);

impl Switches {
    pub(crate) fn on(&self, word: &str) -> bool {
        self.0.iter().any(|switch| switch == word)
    }
}

/// A comment.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) id: u64,
    /// Countersign wrote it.
    pub(crate) ours: bool,
    pub(crate) author: String,
    pub(crate) body: String,
    /// How many people and bots reacted to it.
    pub(crate) reactions: usize,
}

/// What somebody deploys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deploy<'a> {
    pub(crate) environments: &'a [&'a str],
    pub(crate) from: From<'a>,
}

/// What a deployment's pipeline or workflow runs for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From<'a> {
    /// A branch; the merge or pull request's own is `sell-more`.
    Branch(&'a str),
    /// The merge or pull request itself.
    Request,
}

/// How a deployment stands: `blocked`, `running`, `success`, `failed`, `canceled`.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) status: String,
    /// How often a job of it was started.
    pub(crate) started: u32,
}

/// A vote that the forge holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) by: String,
    pub(crate) approved: bool,
    pub(crate) comment: String,
}

/// Something that only one forge has words for.
pub(crate) struct Act<'a> {
    pub(crate) by: u64,
    pub(crate) words: &'a [&'a str],
}

/// One forge, with the project `acme/shop`, its people and one merge or pull request in it.
///
/// dana deploys, alice and bob are maintainers, carol may push, mallory only reads; renovate is a bot. alice is
/// in `acme/qa`, alice and bob are in `acme/sre`.
pub(crate) trait Stage: Sized {
    /// Its name in configuration, paths and ids.
    const FORGE: &'static str;
    /// What stands for a placeholder, such as `{product}`: see `tests/stories/README.md`.
    const WORDS: &'static [(&'static str, &'static str)];
    /// How many jobs wait for their time when nothing else does.
    const POLLS: u64;
    /// Number of the first deployment, less one.
    const NUMBERED_FROM: u64;

    /// The world without a merge request and without anybody to call.
    async fn open(clock: &HandClock, switches: &Switches) -> Self;
    /// Its table of the configuration.
    fn table(&self) -> String;
    /// The same for another instance, with access of its own where the twin tells callers apart by it.
    fn another_table(&self) -> String {
        self.table()
    }
    /// Points the hooks at Countersign, protects the environments and opens the merge request.
    fn furnish(&mut self, countersign: SocketAddr);
    /// Delivers what waits, and returns how many.
    async fn deliver_hooks(&self) -> usize;
    /// What is to be seen, for a story that failed.
    fn scene(&self) -> String;

    fn user(&self, name: &str) -> Option<u64>;
    fn set_role(&self, user: u64, role: Role);
    fn leave_project(&self, user: u64);
    fn join_group(&self, group: &str, user: u64) -> Done;
    fn leave_group(&self, group: &str, user: u64) -> Done;

    /// `None` when the forge swallowed it.
    fn comment(&self, by: u64, text: &str) -> Result<Option<u64>, String>;
    fn comment_on_commit(&self, by: u64, text: &str) -> Result<Option<u64>, String>;
    fn edit(&self, comment: u64, by: u64, text: &str) -> Done;
    fn delete(&self, comment: u64, by: u64) -> Done;
    /// What stands in the merge request and on the head commit, oldest first.
    fn comments(&self) -> Vec<Said>;
    fn said(&self, comment: u64) -> Option<Said>;

    /// A new head for the merge request.
    fn push(&mut self, by: u64) -> Done;
    /// A commit that no merge request knows.
    fn push_straight(&mut self, by: u64, branch: &str);
    fn merge(&mut self, by: u64, squash: bool) -> Done;

    fn deploy(&mut self, by: u64, deploy: Deploy<'_>);
    /// Oldest first.
    fn deployments(&self, environment: &str) -> Vec<Standing>;
    /// Which project and which deployment there, as the ledger names them: the newest of an environment.
    fn native(&self, environment: &str) -> Option<(u64, String)>;
    fn votes(&self) -> Vec<Held>;
    /// From now on jobs succeed as soon as they are started; `false` where the twin can't do so.
    fn jobs_end_at_once(&self) -> bool;
    /// Ends the newest job.
    fn finish(&self, environment: &str, well: bool) -> Done;
    fn cancel(&self, environment: &str, by: u64) -> Done;
    fn run_again(&self, environment: &str, by: u64) -> Done;
    fn delete_environment(&self, environment: &str);
    fn delete_project(&self);
    fn archive_project(&self);
    fn rename_project(&self, path: &str);

    /// The path of the calls for `comments`, `replies`, `votes`, `deployments` and the like.
    fn path_of(what: &str) -> Option<&'static str>;
    fn add_fault(&self, rule: Rule);
    fn clear_faults(&self);
    fn set_hook_faults(&self, faults: HookFaults);
    fn watch(&self, watcher: Option<Watcher>);
    /// The status of every hook that was sent so far; absent when no answer came.
    fn hook_answers(&self) -> Vec<Option<u16>>;
    /// How many calls were made that count where the forge limits them.
    fn calls(&self) -> usize;
    fn clear_calls(&self);

    /// What somebody does that other forges don't know.
    fn act(&mut self, act: &Act<'_>) -> Result<bool, String>;
    /// How only this forge behaves.
    fn arrange(&mut self, words: &[&str]) -> Result<bool, String>;
    /// What is to be seen only here.
    fn check(&self, words: &[&str]) -> Result<bool, String>;

    /// A text with its placeholders filled.
    fn fill(text: &str) -> String {
        let numbers = (1..=9).map(|n| (format!("{{d{n}}}"), format!("d{}", Self::NUMBERED_FROM + n)));
        let words = Self::WORDS.iter().map(|(name, word)| (format!("{{{name}}}"), (*word).to_owned()));
        let forge = [("{forge}".to_owned(), Self::FORGE.to_owned())];
        let all = forge.into_iter().chain(words).chain(numbers);
        all.fold(text.to_owned(), |text, (name, word)| text.replace(&name, &word))
    }
}

/// What people are in a project, whatever the forge calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Developer,
    Maintainer,
}
