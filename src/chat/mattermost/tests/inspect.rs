//! How it is set up.

use super::*;
use crate::domain::chat::ChatUser;
use crate::ports::failure::Failure;
use crate::ports::inspect::InspectChat as _;

#[tokio::test]
async fn the_token_says_whose_it_is() {
    let world = world().await;
    let credential = world.chat.credential().await.unwrap();
    assert_eq!((credential.account.as_str(), credential.bot), ("countersign", true));
    assert_eq!((credential.team, credential.scopes), (None, None));
    assert!(credential.answered_at.is_some());
}

#[tokio::test]
async fn a_channel_shows_what_would_stop_us() {
    let world = world().await;
    let seen = async |name: &str| {
        let channel = Channel { chat: ChatName::new("mattermost"), name: name.to_owned() };
        world.chat.channel_seen(&channel).await
    };
    let found = seen("acme/deploys").await.unwrap();
    assert_eq!((&found.id, found.name.as_str()), (&world.deploys, "deploys"));
    assert_eq!((found.member, found.archived, found.shared), (true, false, false));
    world.twin.kick(world.channel(), &world.twin.bot_user());
    world.twin.share(world.channel());
    world.twin.archive(world.channel());
    let found = seen("acme/deploys").await.unwrap();
    assert_eq!((found.member, found.archived, found.shared), (false, true, true));
    assert_eq!(seen(world.channel()).await.unwrap().id, world.deploys);
    assert_eq!(seen("acme/nowhere").await, Err(Failure::NotFound));
    let private = world.twin.add_private_channel(&world.twin.add_team("other"), "private", &[]);
    world.twin.kick(&private, &world.twin.bot_user());
    assert_eq!(seen(&private).await, Err(Failure::NotFound));
}

#[tokio::test]
async fn an_account_is_found_by_its_name() {
    let world = world().await;
    let dana = ChatUser { id: world.dana.clone(), team: None };
    assert_eq!(world.chat.account_named("Dana").await, Ok(Some(dana)));
    assert_eq!(world.chat.account_named("nobody").await, Ok(None));
}
