//! Answers that one person alone reads.

use super::*;
use crate::domain::chat::Choice;
use crate::ports::failure::Failure;

fn answer() -> Prose {
    Prose::paragraph(Line::of("Choose one: ").foreign("<!channel> @here"))
}

const SHOWN: &str = "Choose one: &lt;\\!channel&gt; @\u{200b}here";

fn choices() -> Vec<Choice> {
    [4711, 4712]
        .map(|number| Choice {
            line: Line::of(format!("d{number}")),
            offer: Offer { numbers: vec![number], generation: 0, ..offer() },
        })
        .to_vec()
}

impl World {
    /// dana types a command; this is where she is answered.
    async fn typed(&self) -> Aside {
        self.twin.command(&self.dana, self.channel(), None, "/deploy status").await.unwrap();
        act(self.received()).1.aside
    }
}

#[tokio::test]
async fn a_command_is_answered_where_it_was_typed() {
    let world = world().await;
    let aside = world.typed().await;
    world.chat.whisper(&aside, &answer(), &choices()).await.unwrap();
    let whispers = world.twin.ephemerals_of(&world.dana);
    assert_eq!((whispers.len(), whispers[0].message.as_str()), (1, SHOWN));
    let ids: Vec<&str> = whispers[0].buttons.iter().map(|button| button.id.as_str()).collect();
    assert_eq!(ids, ["approve1", "reject1", "approve2", "reject2"]);
    let form = form(world.press(&world.dana, &message(&whispers[0]), "reject2").await);
    assert_eq!((form.offer.numbers, form.word, form.on), (vec![4712], Word::Rejected, None));
    assert_eq!(world.twin.pings(), []);
}

fn message(post: &twin::PostView) -> Message {
    Message { channel: ChannelId::new(&post.channel), id: post.id.clone() }
}

#[tokio::test]
async fn the_bots_token_never_goes_to_a_response_address() {
    let world = world().await;
    let aside = world.typed().await;
    world.twin.clear_requests();
    world.chat.whisper(&aside, &answer(), &[]).await.unwrap();
    let requests = world.twin.requests();
    assert_eq!((requests.len(), &requests[0].user), (1, &None));
}

#[tokio::test]
async fn an_address_elsewhere_is_never_called() {
    let world = world().await;
    let elsewhere = twin::Mattermost::new(world.clock.now());
    let address = format!("{}/hooks/commands/x", elsewhere.start().await.unwrap());
    let aside = Aside { url: Some(address), ..world.aside(&world.dana) };
    let held_back = world.chat.whisper(&aside, &answer(), &[]).await;
    assert!(matches!(held_back, Err(Failure::Unavailable { .. })));
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test]
async fn where_the_address_has_expired_the_bot_shows_it_if_it_may() {
    let world = world().await;
    let aside = world.typed().await;
    world.clock.advance(SignedDuration::from_mins(31));
    world.twin.make_admin(&world.twin.bot_user());
    world.chat.whisper(&aside, &answer(), &choices()).await.unwrap();
    let whispers = world.twin.ephemerals_of(&world.dana);
    assert_eq!((whispers[0].message.as_str(), whispers[0].channel.as_str()), (SHOWN, world.channel()));
    assert_eq!(whispers[0].buttons.len(), 4);
}

#[tokio::test]
async fn else_it_is_written_to_them_directly() {
    let world = world().await;
    let direct = world.twin.direct_channel(&world.twin.bot_user(), &world.dana);
    world.chat.whisper(&world.aside(&world.dana), &answer(), &choices()).await.unwrap();
    let posts = world.twin.posts_of(&direct);
    assert_eq!((posts.len(), posts[0].message.as_str()), (1, SHOWN));
    assert_eq!(world.twin.posts_of(world.channel()), []);
    let form = form(world.press(&world.dana, &message(&posts[0]), "approve1").await);
    assert_eq!((form.on, form.aside.channel.as_str()), (None, direct.as_str()));
}

#[tokio::test]
async fn an_answer_stands_in_the_thread_of_its_command() {
    let world = world().await;
    let card = world.card().await;
    world.twin.command(&world.dana, world.channel(), Some(&card.id), "/deploy status").await.unwrap();
    let aside = Aside { url: None, ..act(world.received()).1.aside };
    world.twin.make_admin(&world.twin.bot_user());
    world.chat.whisper(&aside, &answer(), &[]).await.unwrap();
    assert_eq!(world.twin.ephemerals_of(&world.dana)[0].root_id, Some(card.id));
}

#[tokio::test]
async fn a_lost_answer_is_not_said_again_by_another_way() {
    let world = world().await;
    let aside = world.typed().await;
    world.twin.add_fault(Rule::new("/hooks/commands", Action::ActThenDrop).times(1));
    let lost = world.chat.whisper(&aside, &answer(), &[]).await;
    assert!(matches!(lost, Err(Failure::UnknownOutcome { .. })));
    assert_eq!(world.twin.ephemerals_of(&world.dana).len(), 1);
}
