//! What a deployment would change.

use super::*;
use crate::domain::notice::{Changes, Since};
use crate::ports::failure::Failure;
use crate::sim::faults::{Action, Rule};
use crate::sim::github::Conclusion;

impl Stage {
    fn url(&self, page: &str) -> String {
        format!("{}/acme/shop/{page}", self.twin.url())
    }

    /// Deploys to `qa`, which nobody guards, with this end.
    fn deployed(&self, sha: &str, end: Conclusion) -> sim::RunId {
        let job = JobSpec::new("deploy").environment("qa");
        let run = self.twin.start_run(self.repository, NewRun::push("main", sha, self.dana).job(job));
        self.wait(60);
        self.twin.finish_job(self.twin.job_named(run, "deploy").unwrap(), end);
        run
    }

    fn commits(&self, shas: impl IntoIterator<Item = String>) {
        for sha in shas {
            self.twin.add_commit(self.repository, &sha, &format!("Change {sha}\n\nAt length."), self.alice);
        }
    }

    async fn changes(&self, sha: &str) -> Result<Changes, Failure> {
        let project = Project { id: self.shop, path: "acme/shop".to_owned() };
        self.github.changes(&project, "qa", sha).await
    }

    async fn since(&self, sha: &str) -> Since {
        self.changes(sha).await.unwrap().since.unwrap()
    }

    /// Calls below the repository.
    fn reads(&self, part: &str) -> usize {
        self.twin.requests().iter().filter(|call| call.path.contains(part)).count()
    }
}

fn named<const N: usize>(shas: [&str; N]) -> [String; N] {
    shas.map(str::to_owned)
}

fn titles(since: &Since) -> Vec<&str> {
    since.commits.iter().map(|commit| commit.title.as_str()).collect()
}

#[tokio::test]
async fn of_a_first_deployment_only_its_commit_is_told() {
    let stage = stage().await;
    stage.run("a1");
    stage.deployed("a2", Conclusion::Failure);
    let commit_url = Some(stage.url("commit/a3"));
    assert_eq!(stage.changes("a3").await, Ok(Changes { commit_url, since: None }));
}

#[tokio::test]
async fn what_is_new_since_the_last_success_is_listed_newest_first() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2", "a3", "a4"]));
    stage.deployed("a1", Conclusion::Success);
    stage.deployed("a2", Conclusion::Success);
    stage.deployed("a3", Conclusion::Failure);
    stage.twin.start_run(
        stage.repository,
        NewRun::push("main", "a4", stage.dana).job(JobSpec::new("deploy").environment("qa")),
    );
    let since = stage.since("a4").await;
    assert_eq!((since.sha.as_str(), since.count, since.back), ("a2", Some(2), false));
    assert_eq!(titles(&since), ["Change a4", "Change a3"]);
    assert_eq!((since.commits[0].sha.as_str(), since.commits[0].author.as_deref()), ("a4", Some("alice")));
    assert_eq!(since.compare_url, Some(stage.url("compare/a2...a4")));
}

#[tokio::test]
async fn a_success_that_a_later_one_made_inactive_was_a_success() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2"]));
    stage.deployed("a1", Conclusion::Success);
    let ours = stage.deployed("a2", Conclusion::Success);
    let ours = stage.twin.deployment_of(stage.twin.job_named(ours, "deploy").unwrap()).unwrap();
    assert_eq!(stage.twin.deployment(ours - 1).unwrap().states.last().map(String::as_str), Some("inactive"));
    assert_eq!(stage.since("a2").await.sha, "a1", "our own isn't what was there before");
}

#[tokio::test]
async fn of_many_commits_all_are_counted_and_the_newest_listed() {
    let stage = stage().await;
    stage.commits((100..202).map(|number| number.to_string()));
    stage.deployed("100", Conclusion::Success);
    for (newest, count) in [(110, 10), (130, 30), (131, 31), (201, 101)] {
        let since = stage.since(&newest.to_string()).await;
        let expected: Vec<String> = (0..10).map(|back| format!("Change {}", newest - back)).collect();
        assert_eq!(
            (since.count, titles(&since)),
            (Some(count), expected.iter().map(String::as_str).collect())
        );
    }
}

#[tokio::test]
async fn the_search_for_a_success_ends_after_a_few_calls() {
    let stage = stage().await;
    stage.deployed("a1", Conclusion::Success);
    for sha in ["a2", "a3", "a4", "a5"] {
        stage.deployed(sha, Conclusion::Failure);
    }
    assert_eq!(stage.since("b1").await.sha, "a1");
    stage.deployed("a6", Conclusion::Failure);
    stage.twin.clear_requests();
    assert_eq!(stage.changes("b1").await.unwrap().since, None);
    assert_eq!((stage.reads("/statuses"), stage.reads("/deployments")), (5, 6));
    assert_eq!(stage.since("a6").await.sha, "a1", "our own isn't looked at");
}

#[tokio::test]
async fn what_lacks_something_is_no_step_forward() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2"]));
    stage.twin.place_commit(stage.repository, "b1", Some("a1"));
    stage.commits(named(["b1"]));
    stage.deployed("a2", Conclusion::Success);
    let behind = stage.since("a1").await;
    assert_eq!((behind.count, behind.back, behind.commits), (Some(0), true, vec![]));
    assert_eq!(behind.compare_url, Some(stage.url("compare/a2...a1")));
    let beside = stage.since("b1").await;
    assert_eq!((beside.count, beside.back, titles(&beside)), (Some(1), true, vec!["Change b1"]));
}

#[tokio::test]
async fn the_same_commit_again_is_compared_with_nothing() {
    let stage = stage().await;
    stage.deployed("a1", Conclusion::Success);
    stage.deployed("a1", Conclusion::Failure);
    let since = stage.since("a1").await;
    assert_eq!((since.sha.as_str(), since.count, since.back), ("a1", Some(0), false));
    assert_eq!((since.compare_url, stage.reads("/compare/")), (None, 0));
}

#[tokio::test]
async fn a_commit_that_was_rewritten_away_is_named_and_no_more() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2"]));
    stage.twin.place_commit(stage.repository, "b1", None);
    stage.commits(named(["b1"]));
    stage.deployed("a1", Conclusion::Success);
    let gone =
        Since { sha: "a1".to_owned(), compare_url: None, count: None, commits: Vec::new(), back: false };
    assert_eq!(stage.since("b1").await, gone, "they have nothing in common");
    stage.twin.forget_commit(stage.repository, "a1");
    assert_eq!(stage.since("a2").await, gone);
}

#[tokio::test]
async fn code_that_we_may_not_read_is_left_to_people() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2"]));
    stage.deployed("a1", Conclusion::Success);
    stage.twin.set_private(stage.repository, true);
    let since = stage.since("a2").await;
    assert_eq!((since.count, since.compare_url), (None, Some(stage.url("compare/a1...a2"))));
    stage.twin.set_permissions(stage.app.id, &[("contents", "read")]);
    stage.wait(3600);
    assert_eq!(stage.since("a2").await.count, Some(1));
}

#[tokio::test]
async fn what_github_cannot_tell_now_is_asked_again() {
    let stage = stage().await;
    stage.commits(named(["a1", "a2"]));
    stage.deployed("a1", Conclusion::Success);
    for path in ["/compare/", "/statuses", "/deployments"] {
        let action = Action::Answer { status: 502, body: "{}".to_owned() };
        stage.twin.add_fault(Rule::new(path, action).times(1));
        let failed = stage.changes("a2").await;
        assert!(matches!(failed, Err(Failure::Unavailable { .. })), "{path}: {failed:?}");
    }
    assert_eq!(stage.since("a2").await.count, Some(1));
}
