//! Stories: Markdown documents in `tests/stories`, played on the twins through the true server.
//!
//! A story has a title, may carry the configuration's `[[environment]]` tables in a `toml` block, and
//! tells what happens in list items, one sentence each. Its folder says on which forges it plays; words that
//! the forges have of their own are placeholders (`Stage::WORDS`). `steps` knows the sentences, a forge's own
//! are with its `Stage`. After every act hooks are delivered and the worker runs until nothing is due;
//! whatever Countersign writes has to be told by the story, or the story fails: silence is asserted too.
//!
//! Each story is told on SQLite, and once more on PostgreSQL where there is a cluster.

mod acts;
mod arrange;
pub(crate) mod chat;
mod database;
pub(crate) mod github;
pub(crate) mod gitlab;
mod read;
pub(crate) mod server;
pub(crate) mod stage;
mod steps;
pub(crate) mod world;

use crate::instances::cluster;
use chat::Opens;
use database::Database;
use read::Story;
use stage::Stage;
use std::path::{Path, PathBuf};
use world::World;

#[rstest::rstest]
#[tokio::test]
async fn on_gitlab(
    #[files("tests/stories/both/*.md")]
    #[files("tests/stories/gitlab/*.md")]
    path: PathBuf,
) {
    play::<gitlab::Stage>(&path).await;
}

#[rstest::rstest]
#[tokio::test]
async fn on_github(
    #[files("tests/stories/both/*.md")]
    #[files("tests/stories/github/*.md")]
    path: PathBuf,
) {
    play::<github::Stage>(&path).await;
}

#[rstest::rstest]
#[tokio::test]
async fn on_slack(
    #[files("tests/stories/chats/*.md")]
    #[files("tests/stories/slack/*.md")]
    path: PathBuf,
) {
    play_in_chat::<gitlab::Stage, chat::OnSlack>(&path).await;
}

/// What differs between the forges behind a chat.
#[rstest::rstest]
#[tokio::test]
async fn on_slack_beside_github(
    #[files("tests/stories/chats/blocked-to-released.md")]
    #[files("tests/stories/chats/commands.md")]
    #[files("tests/stories/chats/ended-elsewhere.md")]
    #[files("tests/stories/chats/refused.md")]
    #[files("tests/stories/chats/reject-by-form.md")]
    #[files("tests/stories/chats/retried.md")]
    #[files("tests/stories/chats/same-second.md")]
    path: PathBuf,
) {
    play_in_chat::<github::Stage, chat::OnSlack>(&path).await;
}

#[rstest::rstest]
#[tokio::test]
async fn on_mattermost(
    #[files("tests/stories/chats/*.md")]
    #[files("tests/stories/mattermost/*.md")]
    path: PathBuf,
) {
    play_in_chat::<gitlab::Stage, chat::OnMattermost>(&path).await;
}

/// Where there is a cluster; where there is none it is said, and under CI it fails.
mod on_postgres {
    use super::{Database, chat, cluster, github, gitlab, play_in_chat_on, play_on};
    use std::path::PathBuf;

    #[rstest::rstest]
    #[tokio::test]
    async fn on_gitlab(
        #[files("tests/stories/both/*.md")]
        #[files("tests/stories/gitlab/*.md")]
        path: PathBuf,
    ) {
        let Some(cluster) = cluster() else { return };
        play_on::<gitlab::Stage>(Database::of_cluster(&cluster).await, &path).await;
    }

    #[rstest::rstest]
    #[tokio::test]
    async fn on_github(
        #[files("tests/stories/both/*.md")]
        #[files("tests/stories/github/*.md")]
        path: PathBuf,
    ) {
        let Some(cluster) = cluster() else { return };
        play_on::<github::Stage>(Database::of_cluster(&cluster).await, &path).await;
    }

    #[rstest::rstest]
    #[tokio::test]
    async fn on_slack(
        #[files("tests/stories/chats/*.md")]
        #[files("tests/stories/slack/*.md")]
        path: PathBuf,
    ) {
        let Some(cluster) = cluster() else { return };
        let database = Database::of_cluster(&cluster).await;
        play_in_chat_on::<gitlab::Stage, chat::OnSlack>(database, &path).await;
    }

    #[rstest::rstest]
    #[tokio::test]
    async fn on_mattermost(
        #[files("tests/stories/chats/*.md")]
        #[files("tests/stories/mattermost/*.md")]
        path: PathBuf,
    ) {
        let Some(cluster) = cluster() else { return };
        let database = Database::of_cluster(&cluster).await;
        play_in_chat_on::<gitlab::Stage, chat::OnMattermost>(database, &path).await;
    }
}

async fn play<S: Stage>(path: &Path) {
    play_on::<S>(Database::file(), path).await;
}

async fn play_in_chat<S: Stage, C: Opens>(path: &Path) {
    play_in_chat_on::<S, C>(Database::file(), path).await;
}

async fn play_on<S: Stage>(database: Database, path: &Path) {
    let story = read(path);
    let world = World::<S>::on(database, story.environments.as_deref(), &story.switches).await;
    play_in(world, path, &story).await;
}

async fn play_in_chat_on<S: Stage, C: Opens>(database: Database, path: &Path) {
    let story = read(path);
    let world = World::<S>::in_chat_on::<C>(database, story.environments.as_deref(), &story.switches).await;
    play_in(world, path, &story).await;
}

fn read(path: &Path) -> Story {
    Story::read(&std::fs::read_to_string(path).unwrap())
}

async fn play_in<S: Stage>(mut world: World<S>, path: &Path, story: &Story) {
    for step in &story.steps {
        let told = steps::play(&mut world, &step.text).await;
        if let Err(why) = told {
            panic!("{}:{}: {}\n  {why}\n\n{}", path.display(), step.line, step.text, world.scene().await);
        }
    }
    if let Err(why) = world.end().await {
        panic!("{}: at the end: {why}\n\n{}", path.display(), world.scene().await);
    }
    world.tear_down().await;
}
