//! Stories: Markdown documents in `tests/stories`, played on the twins through the true server.
//!
//! A story has a title, may carry the configuration's `[[environment]]` tables in a `toml` block, and
//! tells what happens in list items, one sentence each. Its folder says on which forges it plays; words that
//! the forges have of their own are placeholders (`Stage::WORDS`). `steps` knows the sentences, a forge's own
//! are with its `Stage`. After every act hooks are delivered and the worker runs until nothing is due;
//! whatever Countersign writes has to be told by the story, or the story fails: silence is asserted too.

mod acts;
mod arrange;
pub(crate) mod github;
pub(crate) mod gitlab;
mod read;
pub(crate) mod server;
pub(crate) mod stage;
mod steps;
pub(crate) mod world;

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

async fn play<S: Stage>(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let story = Story::read(&text);
    let mut world = World::<S>::new(story.environments.as_deref(), &story.switches).await;
    for step in &story.steps {
        let told = steps::play(&mut world, &step.text).await;
        if let Err(why) = told {
            panic!("{}:{}: {}\n  {why}\n\n{}", path.display(), step.line, step.text, world.scene().await);
        }
    }
    if let Err(why) = world.end().await {
        panic!("{}: at the end: {why}\n\n{}", path.display(), world.scene().await);
    }
}
