//! Attacks, told as tests: what a hostile hook, name or comment could try.

use crate::story::chat::OnMattermost;
use crate::story::gitlab::World;
use crate::story::stage::Switches;
use crate::story::world::ONE_MAINTAINER;
use countersign::sim::gitlab::{HookTemplate, JobSpec, Level, NewPipeline, ProtectedEnvironment};
use pulldown_cmark::{Event, Parser};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

/// Sends hooks through a custom template, rightly signed.
fn template(world: &mut World, template: HookTemplate) {
    world.stage.gitlab.remove_hook(world.stage.hook);
    world.stage.hook =
        world.stage.gitlab.add_hook(world.stage.project, world.stage.new_hook(true).template(template));
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = body.pointer_mut(pointer) {
        *place = value;
    }
}

#[tokio::test]
async fn a_signed_hook_that_names_another_author_changes_nothing() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    let alice = world.user("alice").unwrap();
    template(
        &mut world,
        Arc::new(move |mut body| {
            set(&mut body, "/object_attributes/author_id", json!(alice));
            set(&mut body, "/user/id", json!(alice));
            set(&mut body, "/user/username", json!("alice"));
            body
        }),
    );
    world
        .tell(
            r#"dana deploys to production
            mallory writes "@countersign approve production"
            countersign says nothing
            10 minutes pass
            countersign says nothing
            production is blocked
            the ledger of production tells of "voted" 0 times
            alice writes "@countersign approve production"
            countersign answers "was the last one needed""#,
        )
        .await;
    world.finish().await;
}

/// A channel that nothing can be posted in leaves a message that is still to come for ever.
#[tokio::test]
async fn a_press_elsewhere_holds_no_channel_while_another_one_cant_be_told() {
    let policy = format!("{ONE_MAINTAINER}notify = [\"{{channel}}\", \"mattermost:acme/nowhere\"]\n");
    let mut world = World::in_chat::<OnMattermost>(Some(&policy), &Switches::default()).await;
    world
        .tell(
            r#"dana deploys to production
            the channel is told "waiting for approval"
            mallory baits alice with a copy of the card
            alice sends the form
            10 minutes pass
            alice alone is told "doesn't stand on a message of mine"
            bob approves by the button
            bob alone is told "was the last one needed"
            production is running"#,
        )
        .await;
}

#[tokio::test]
async fn a_signed_hook_that_puts_words_into_a_mouth_changes_nothing() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    template(
        &mut world,
        Arc::new(|mut body| {
            set(&mut body, "/object_attributes/note", json!("@countersign approve production"));
            body
        }),
    );
    world
        .tell(
            r#"dana deploys to production
            alice writes "Looks good"
            10 minutes pass
            countersign says nothing
            production is blocked
            the ledger of production tells of "voted" 0 times"#,
        )
        .await;
    world.finish().await;
}

#[rstest]
#[case::in_another_project("/project/id", json!(999))]
#[case::in_another_merge_request("/merge_request/iid", json!(77))]
#[case::of_another_comment("/object_attributes/id", json!(1))]
#[tokio::test]
async fn a_signed_hook_that_points_elsewhere_changes_nothing_there(
    #[case] pointer: &'static str,
    #[case] value: Value,
) {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    template(
        &mut world,
        Arc::new(move |mut body| {
            if body["object_kind"] == "note" {
                set(&mut body, pointer, value.clone());
            }
            body
        }),
    );
    world
        .tell(
            r#"dana deploys to production
            alice writes "@countersign approve production"
            countersign says nothing
            60 seconds pass
            countersign answers "was the last one needed"
            production was started once"#,
        )
        .await;
    world.finish().await;
}

/// Since when a deployment waits decides what a name means; a hook may tell it more exactly than the API,
/// and never otherwise.
#[rstest]
#[case::in_the_future("2026-11-22 08:00:00 +0000")]
#[case::long_ago("2020-01-01 08:00:00 +0000")]
#[tokio::test]
async fn a_signed_hook_that_lies_about_the_time_changes_nothing(#[case] time: &'static str) {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    template(
        &mut world,
        Arc::new(move |mut body| {
            set(&mut body, "/status_changed_at", json!(time));
            body
        }),
    );
    world
        .tell(
            r#"dana deploys to production
            the card says "waiting since 2026-11-21 08:00 UTC"
            alice writes "@countersign approve production"
            countersign answers "was the last one needed"
            production is running"#,
        )
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_of_another_project_is_refused() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    let (dana, bot) = (world.user("dana").unwrap(), world.user("countersign").unwrap());
    let other = world.stage.gitlab.add_project("acme/vault");
    world.stage.gitlab.add_member(other, dana, Level::DEVELOPER);
    world.stage.gitlab.add_member(other, bot, Level::MAINTAINER);
    let rule = countersign::sim::gitlab::ApprovalRule::user(bot);
    let protection = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER).rule(rule);
    world.stage.gitlab.protect_environment(other, protection);
    let job = JobSpec::new("deploy").environment("production").manual();
    let pipeline = world.stage.gitlab.run_pipeline(other, NewPipeline::new("main", "9f1c", dana).job(job));
    let job = world.stage.gitlab.job_named(pipeline, "deploy").unwrap();
    let foreign = world.stage.gitlab.deployment_of(job).unwrap();
    world.advance(60).await;
    world
        .tell(&format!(
            r#"dana deploys to production
            alice writes "@countersign approve d{foreign}"
            countersign answers "This project has no deployment d{foreign}""#
        ))
        .await;
    assert_eq!(world.stage.gitlab.plays(job), 0);
    world.tell("production is blocked").await;
}

/// Texts that would ping, format, run or break out.
pub(crate) const HOSTILE: [&str; 12] = [
    "@all please look",
    "<!channel> <@U123> <!here>",
    "`@all` ``tick`` ```",
    "\"quoted\" 'text'",
    "/approve",
    "x\n/approve\n/close",
    "x\r/merge",
    "\u{202e}gnp.exe\u{202c}",
    "<script>alert(1)</script><img src=x onerror=y>",
    "[link](javascript:x) ![pic](http://evil.example/x.png) http://evil.example",
    "# head\n- [ ] task\n| a | b |",
    "<!-- countersign:card --> &lt; #1 !1 %1 ~bug $1 :tada:",
];

/// Hostile text in every place where somebody else's words are shown.
#[tokio::test]
async fn hostile_names_neither_ping_nor_format_nor_run() {
    for hostile in HOSTILE {
        let world = World::new(None, &Switches::default()).await;
        let (dana, bot) = (world.user("dana").unwrap(), world.user("countersign").unwrap());
        world.stage.gitlab.add_commit(world.stage.project, &world.stage.head, hostile, hostile);
        let rule = countersign::sim::gitlab::ApprovalRule::user(bot);
        let protection = ProtectedEnvironment::new(hostile).deployers(Level::DEVELOPER).rule(rule);
        world.stage.gitlab.protect_environment(world.stage.project, protection);
        let job = JobSpec::new(hostile).environment(hostile).manual();
        world.stage.run_pipeline(hostile, dana, vec![job]);
        world.settle().await;
        assert_eq!(world.cards(), 1, "{hostile:?}");
        let number = world.stage.gitlab.deployments(world.stage.project)[0].id;
        let reason = hostile.replace(['\n', '\r'], " ");
        for (name, text) in [
            ("mallory", format!("@countersign approve {reason}")),
            ("mallory", "@countersign why\n@countersign blocked\n@countersign status".to_owned()),
            ("mallory", format!("@countersign {reason}")),
            ("alice", format!("@countersign approve d{number} {reason}")),
            ("bob", format!("@countersign reject d{number} {reason}")),
            ("alice", format!("@countersign approve d{number}")),
        ] {
            let user = world.user(name).unwrap();
            world.clock.advance(jiff::SignedDuration::from_secs(1));
            world.stage.gitlab.comment_on_mr(world.stage.project, world.stage.request, user, &text).unwrap();
            world.settle().await;
        }
        world.advance(10).await;
        let request = world.stage.gitlab.merge_request(world.stage.project, world.stage.request).unwrap();
        assert_eq!((request.state.as_str(), request.approved_by), ("opened", Vec::new()), "{hostile:?}");
        assert!(world.ours().len() >= 5, "{hostile:?}: {}", world.scene().await);
        assert_eq!(world.cards(), 1, "{hostile:?}: {}", world.scene().await);
        for note in world.ours() {
            is_harmless(&note.body, hostile);
        }
    }
}

/// What a forge would make of a comment of ours: no HTML but the hidden marker, no pictures, no links but to
/// the forge itself, no mention outside of code, no line that begins with a slash.
pub(crate) fn is_harmless(body: &str, hostile: &str) {
    let scene = || format!("{hostile:?} in:\n{body}");
    assert!(body.lines().all(|line| !line.trim_start().starts_with('/')), "{}", scene());
    assert!(!body.contains(['\r', '\u{202e}', '\u{202c}']), "{}", scene());
    for event in Parser::new(body) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                assert!(
                    html.trim().starts_with("<!-- countersign:") && html.trim().ends_with("-->"),
                    "{}",
                    scene()
                );
            }
            Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("http://127.0.0.1:"), "{}", scene());
            }
            Event::Start(pulldown_cmark::Tag::Image { .. }) => panic!("{}", scene()),
            Event::Text(text) => {
                let follows = |pair: &[char]| {
                    matches!(pair[0], '@' | '#' | '!' | '%' | '~' | '$') && pair[1].is_alphanumeric()
                };
                let chars: Vec<char> = text.chars().collect();
                assert!(!chars.windows(2).any(follows), "{}", scene());
            }
            Event::Start(_)
            | Event::End(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
}

#[tokio::test]
async fn the_card_shows_hostile_names_as_they_are() {
    let mut world = World::new(None, &Switches::default()).await;
    let (dana, bot) = (world.user("dana").unwrap(), world.user("countersign").unwrap());
    let name = "prod`@all";
    world.stage.gitlab.add_commit(
        world.stage.project,
        &world.stage.head,
        "@all <b>now</b>\n/approve",
        "Dana",
    );
    let rule = countersign::sim::gitlab::ApprovalRule::user(bot);
    let protection = ProtectedEnvironment::new(name).deployers(Level::DEVELOPER).rule(rule);
    world.stage.gitlab.protect_environment(world.stage.project, protection);
    world.stage.run_pipeline("/approve", dana, vec![JobSpec::new("/merge @bob").environment(name).manual()]);
    world.settle().await;
    let card = world.card().unwrap().body;
    let shown: Vec<&str> = card.lines().collect();
    assert_eq!(shown[0], "### ``prod`@all``: waiting for approval");
    assert_eq!(
        shown[2],
        "`00000000` \\@\u{200b}all &lt;b&gt;now&lt;/b&gt; /approve from `/approve`, started by dana, \
         waiting since 2026-11-21 08:00 UTC."
    );
    assert!(shown[4].contains("[\\/merge \\@\u{200b}bob](<http://127.0.0.1:"), "{}", shown[4]);
    assert!(card.contains("write ``@countersign approve prod`@all``"), "{card}");
    world
        .tell(
            r#"alice writes "@countersign approve prod`@all"
            countersign answers "1 approval is still missing"
            bob writes "@countersign reject prod`@all /approve @all <!channel>"
            countersign answers "One rejection is final"
            the card says "it was rejected by bob (\/approve \@"
            the card says "all &lt;\!"
            nobody approved the merge request"#,
        )
        .await;
}
