//! What a deployment would change.

use super::*;
use crate::domain::id::Project;
use crate::domain::notice::{Changes, Since};

impl World {
    fn url(&self, page: &str) -> String {
        format!("{}/acme/shop/-/{page}", self.twin.url())
    }

    /// Deploys without a gate, as far as running.
    fn start(&self, environment: &str, sha: &str) -> twin::JobId {
        let job = JobSpec::new("deploy").environment(environment);
        let pipeline = self.twin.run_pipeline(self.shop, NewPipeline::new("main", sha, self.dana).job(job));
        self.twin.job_named(pipeline, "deploy").unwrap()
    }

    fn deployed(&self, environment: &str, sha: &str) {
        let job = self.start(environment, sha);
        self.clock.advance(SignedDuration::from_secs(60));
        self.twin.finish_job(job, true);
    }

    fn commits(&self, shas: impl IntoIterator<Item = String>) {
        for sha in shas {
            self.twin.add_commit(self.shop, &sha, &format!("Change {sha}"), "Dana");
        }
    }

    async fn changes(&self, sha: &str) -> Result<Changes, Failure> {
        let project = Project { id: self.project(), path: "acme/shop".to_owned() };
        self.gitlab.changes(&project, "review/a b", sha).await
    }

    async fn since(&self, sha: &str) -> Since {
        self.changes(sha).await.unwrap().since.unwrap()
    }
}

fn titles(since: &Since) -> Vec<&str> {
    since.commits.iter().map(|commit| commit.title.as_str()).collect()
}

#[tokio::test]
async fn of_a_first_deployment_only_its_commit_is_told() {
    let world = world().await;
    world.deployed("production", "a1");
    let failed = world.start("review/a b", "a2");
    world.twin.finish_job(failed, false);
    world.start("review/a b", "a3");
    let commit_url = Some(world.url("commit/a3"));
    assert_eq!(world.changes("a3").await, Ok(Changes { commit_url, since: None }));
}

#[tokio::test]
async fn what_is_new_since_the_last_success_is_listed_newest_first() {
    let world = world().await;
    world.commits(["a1", "a2", "a3"].map(str::to_owned));
    world.deployed("review/a b", "a1");
    let failed = world.start("review/a b", "a2");
    world.twin.finish_job(failed, false);
    world.deployed("production", "a2");
    let since = world.since("a3").await;
    assert_eq!((since.sha.as_str(), since.count, since.back), ("a1", Some(2), false));
    assert_eq!(titles(&since), ["Change a3", "Change a2"]);
    assert_eq!(since.commits[0].sha, "a3");
    assert_eq!(since.commits[0].author.as_deref(), Some("Dana"));
    assert_eq!(since.compare_url, Some(world.url("compare/a1...a3")));
}

#[tokio::test]
async fn of_many_commits_all_are_counted_and_the_newest_listed() {
    let world = world().await;
    world.commits((100..126).map(|number| number.to_string()));
    world.deployed("review/a b", "100");
    let since = world.since("125").await;
    assert_eq!((since.count, since.commits.len()), (Some(25), Since::MOST));
    assert_eq!((titles(&since)[0], titles(&since)[9]), ("Change 125", "Change 116"));
}

#[tokio::test]
async fn the_one_that_succeeded_last_is_there_whichever_was_made_last() {
    let world = world().await;
    world.commits(["a1", "a2", "a3"].map(str::to_owned));
    let slow = world.start("review/a b", "a1");
    world.deployed("review/a b", "a2");
    assert_eq!(world.since("a3").await.sha, "a2");
    world.clock.advance(SignedDuration::from_secs(60));
    world.twin.finish_job(slow, true);
    assert_eq!(world.since("a3").await.sha, "a1");
}

#[tokio::test]
async fn an_older_commit_is_a_way_back() {
    let world = world().await;
    world.commits(["a1", "a2", "a3"].map(str::to_owned));
    world.deployed("review/a b", "a3");
    let since = world.since("a1").await;
    assert_eq!((since.count, since.back, since.commits), (Some(0), true, vec![]));
    assert_eq!(since.compare_url, Some(world.url("compare/a3...a1")));
}

#[tokio::test]
async fn the_same_commit_again_is_compared_with_nothing() {
    let world = world().await;
    world.deployed("review/a b", "a1");
    world.twin.clear_requests();
    let since = world.since("a1").await;
    assert_eq!((since.count, since.back, since.compare_url), (Some(0), false, None));
    assert_eq!(world.twin.requests().len(), 1);
}

#[tokio::test]
async fn a_commit_that_was_rewritten_away_is_named_and_no_more() {
    let world = world().await;
    world.commits(["a1", "a2"].map(str::to_owned));
    world.deployed("review/a b", "a1");
    world.twin.forget_commit(world.shop, "a1");
    let gone =
        Since { sha: "a1".to_owned(), compare_url: None, count: None, commits: Vec::new(), back: false };
    assert_eq!(world.since("a2").await, gone);
    world.twin.delete_project(world.shop);
    let commit_url = Some(world.url("commit/a2"));
    assert_eq!(world.changes("a2").await, Ok(Changes { commit_url, since: None }));
}

#[tokio::test]
async fn what_gitlab_refuses_is_left_out_and_what_it_cannot_tell_now_is_asked_again() {
    let world = world().await;
    world.commits(["a1", "a2"].map(str::to_owned));
    world.deployed("review/a b", "a1");
    let answer = |status| Action::Answer { status, body: r#"{"message": "no"}"#.to_owned() };
    world.fault("/repository/compare", answer(403));
    let since = world.since("a2").await;
    assert_eq!((since.count, since.compare_url), (None, Some(world.url("compare/a1...a2"))));
    for path in ["/repository/compare", "/deployments"] {
        world.fault(path, answer(502));
        let failed = world.changes("a2").await;
        assert!(matches!(failed, Err(Failure::Unavailable { .. })), "{path}: {failed:?}");
    }
    assert_eq!(world.since("a2").await.count, Some(1));
}
