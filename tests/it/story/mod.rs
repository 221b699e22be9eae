//! Stories: Markdown documents in `tests/stories`, played on the twin through the true server.
//!
//! A story has a title, may carry the configuration's `[[environment]]` tables in a `toml` block, and
//! tells what happens in list items, one sentence each. `steps` knows the sentences. After every act hooks
//! are delivered and the worker runs until nothing is due; whatever Countersign writes has to be told by
//! the story, or the story fails: silence is asserted too.

mod acts;
mod arrange;
mod people;
mod read;
mod server;
mod steps;
pub(crate) mod world;

use read::Story;
use std::path::PathBuf;
use world::World;

#[rstest::rstest]
#[tokio::test]
async fn story(#[files("tests/stories/*.md")] path: PathBuf) {
    let text = std::fs::read_to_string(&path).unwrap();
    let story = Story::read(&text);
    let mut world = World::new(story.environments.as_deref(), &story.switches).await;
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
