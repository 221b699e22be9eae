//! The adapter against the twin, over real HTTP.

mod changes;

use super::webhook::GitLabInbound;
use super::{GitLab, Settings, SettingsError, native};
use crate::domain::actor::{Account, Known};
use crate::domain::deployment::{Creators, Description};
use crate::domain::event::{Event, Heard};
use crate::domain::id::{
    CommentKind, CommentRef, Conversation, DeploymentId, ForgeName, Place, ProjectId, UserId,
};
use crate::domain::ledger::Word;
use crate::domain::policy::{Gate, Grantee};
use crate::net::http::{Http, Limits};
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{
    Gatekeeper as _, GroupRef, Lookup as _, OwnVote, PersonsVote, Progress, Talk as _,
};
use crate::ports::inbound::{Inbound as _, RawDelivery, Received, borrowed};
use crate::sim::clock::HandClock;
use crate::sim::faults::{Action, Rule};
use crate::sim::gitlab as twin;
use crate::sim::gitlab::{ApprovalRule, JobSpec, Level, MemberState, Membership, NewHook, NewPipeline};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

struct Watch(HandClock);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.time()
    }

    fn new_id(&self) -> String {
        unreachable!("the adapter makes no ids")
    }
}

/// `acme/shop` with production behind two maintainers, dana (developer), alice (maintainer) and the bot.
struct World {
    twin: twin::GitLab,
    clock: HandClock,
    gitlab: GitLab,
    shop: twin::ProjectId,
    dana: twin::UserId,
    alice: twin::UserId,
    bot: twin::UserId,
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap()
}

fn user(id: u64) -> UserId {
    UserId(number(id))
}

async fn world() -> World {
    let clock = HandClock::at("2026-11-21T08:00:00Z".parse().unwrap());
    let twin = twin::GitLab::new(clock.now());
    let url = twin.start().await.unwrap();
    let shop = twin.add_project("acme/shop");
    let (dana, alice) = (twin.add_user("dana", "Dana"), twin.add_user("alice", "Alice"));
    let bot = twin.add_bot("countersign", "Countersign");
    let admin = twin.add_admin("root", "Root");
    twin.add_member(shop, dana, Level::DEVELOPER);
    twin.add_member(shop, alice, Level::MAINTAINER);
    twin.add_member(shop, bot, Level::MAINTAINER);
    twin.protect_environment(
        shop,
        twin::ProtectedEnvironment::new("production")
            .deployers(Level::DEVELOPER)
            .rule(ApprovalRule::level(Level::MAINTAINER, 2)),
    );
    let settings = Settings {
        name: ForgeName::new("gitlab"),
        url: url.parse().unwrap(),
        token: twin.add_token(bot, &["api"]).into(),
        sudo_token: Some(twin.add_token(admin, &["api", "sudo"]).into()),
    };
    let limits = Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10) };
    let gitlab = GitLab::new(settings, Http::new(limits).unwrap(), Arc::new(Watch(clock.clone()))).unwrap();
    World { twin, clock, gitlab, shop, dana, alice, bot }
}

impl World {
    fn project(&self) -> ProjectId {
        ProjectId(number(self.shop))
    }

    /// A blocked deployment by dana: its job and number.
    fn deploy(&self, sha: &str) -> (u64, i64) {
        let job = JobSpec::new("deploy_prod").environment("production").manual();
        let pipeline = self.twin.run_pipeline(self.shop, NewPipeline::new("main", sha, self.dana).job(job));
        let job = self.twin.job_named(pipeline, "deploy_prod").unwrap();
        (job, number(self.twin.deployment_of(job).unwrap()))
    }

    async fn description(&self, deployment: i64) -> Description {
        let project = self.gitlab.project(self.project()).await.unwrap();
        Description {
            id: DeploymentId::new(self.gitlab.name(), self.project(), &native(deployment)),
            forge: self.gitlab.name().clone(),
            project,
            native: native(deployment),
            round: 1,
            number: deployment,
            order: deployment,
            environment: "production".to_owned(),
            sha: "9f1c".to_owned(),
            ref_name: "main".to_owned(),
            title: None,
            run: 0,
            job_name: None,
            url: None,
            created_at: self.clock.time(),
            blocked_at: self.clock.time(),
            gate: Gate::Native,
            creators: Creators { started_by: vec![], stand_ins: Known::Fact(vec![]) },
            conversation: None,
            notify: None,
            within_reach: None,
        }
    }

    fn at(&self, place: Place) -> Conversation {
        Conversation { forge: self.gitlab.name().clone(), project: self.project(), place }
    }

    fn fault(&self, path: &str, action: Action) {
        self.twin.add_fault(Rule::new(path, action).times(1));
    }
}

fn own(word: Word, comment: &str) -> OwnVote {
    OwnVote { word, comment: comment.to_owned(), again: false }
}

fn dana() -> Account {
    Account { id: UserId(1), username: "dana".to_owned(), bot: false }
}

fn comment(conversation: &Conversation, note: u64) -> CommentRef {
    CommentRef {
        conversation: conversation.clone(),
        kind: CommentKind::Comment,
        comment: number(note),
        discussion: None,
    }
}

#[tokio::test]
async fn a_blocked_deployment_is_seen_with_its_rules_and_votes() {
    let world = world().await;
    let (job, deployment) = world.deploy("9f1c");
    world.twin.approve_deployment(u64::try_from(deployment).unwrap(), world.alice, Some("fine")).unwrap();

    let seen = world.gitlab.deployment(world.project(), &native(deployment)).await.unwrap();

    assert_eq!(
        (seen.state, seen.environment.as_str(), seen.sha.as_str()),
        (Progress::Waiting, "production", "9f1c")
    );
    assert_eq!(seen.started_by.iter().map(|account| account.username.as_str()).collect::<Vec<_>>(), ["dana"]);
    assert!(seen.job.is_some_and(|seen| seen.manual && seen.id == number(job)));
    let approvals = seen.approvals.unwrap();
    assert_eq!(approvals.pending, 1);
    assert_eq!(approvals.rules[0].grantees, [Grantee::AccessLevel(40)]);
    assert_eq!(approvals.votes.len(), 1);
    assert_eq!((approvals.votes[0].by, approvals.votes[0].word), (user(world.alice), Word::Approved));
}

#[tokio::test]
async fn without_a_licence_there_are_no_approvals() {
    let world = world().await;
    world.twin.set_licensed(false);
    let (_, deployment) = world.deploy("9f1c");
    assert_eq!(world.gitlab.deployment(world.project(), &native(deployment)).await.unwrap().approvals, None);
}

#[tokio::test]
async fn what_waits_is_listed_newest_first_over_all_pages() {
    let world = world().await;
    let mut numbers: Vec<i64> = (0..130).map(|n| world.deploy(&format!("{n:040x}")).1).collect();
    numbers.reverse();
    let waiting = world.gitlab.waiting(world.project()).await.unwrap();
    assert_eq!(waiting.iter().filter_map(|sighting| sighting.number).collect::<Vec<_>>(), numbers);
    assert!(waiting.iter().all(|sighting| sighting.approvals.is_none()));
}

#[tokio::test]
async fn the_newest_started_deployment_is_found_behind_many_blocked_ones() {
    let world = world().await;
    world.twin.unprotect_environment(world.shop, "production");
    assert_eq!(world.gitlab.newest_started(world.project(), "production").await.unwrap(), None);
    let (job, started) = world.deploy("a1");
    world.twin.play_job(job, world.alice).unwrap();
    for n in 0..25 {
        world.deploy(&format!("b{n}"));
    }
    let newest = world.gitlab.newest_started(world.project(), "production").await.unwrap().unwrap();
    assert_eq!((newest.number, newest.state), (Some(started), Progress::Running));
}

#[tokio::test]
async fn the_bot_votes_once_and_a_second_vote_is_refused_in_our_words() {
    let world = world().await;
    let (_, deployment) = world.deploy("9f1c");
    let description = world.description(deployment).await;
    world.gitlab.vote(&description, &own(Word::Approved, &"ä".repeat(400))).await.unwrap();

    let view = world.twin.deployment(u64::try_from(deployment).unwrap()).unwrap();
    assert_eq!(view.approvals[0].user, "countersign");
    assert_eq!(view.approvals[0].comment.as_deref(), Some("ä".repeat(255).as_str()));

    world.twin.unprotect_environment(world.shop, "production");
    let refused = world.gitlab.vote(&description, &own(Word::Rejected, "no")).await.unwrap_err();
    assert_eq!(refused, Failure::Refused(Refusal::NotProtected));
}

#[tokio::test]
async fn the_administrators_token_is_used_for_the_vote_and_nothing_else() {
    let world = world().await;
    let (_, deployment) = world.deploy("9f1c");
    let description = world.description(deployment).await;
    let vote = |voter, word| PersonsVote { voter, word, comment: None, represented_as: None };
    let by = |id| user(id);

    world.gitlab.vote_as(&description, &vote(by(world.alice), Word::Approved)).await.unwrap();
    let own = world.gitlab.vote_as(&description, &vote(by(world.dana), Word::Approved)).await.unwrap_err();
    let nobody =
        world.gitlab.vote_as(&description, &vote(UserId(999_999), Word::Approved)).await.unwrap_err();

    assert_eq!(own, Failure::Refused(Refusal::SelfApproval));
    assert!(matches!(nobody, Failure::Refused(Refusal::Other(_))), "{nobody:?}");
    let approvals = world.twin.deployment(u64::try_from(deployment).unwrap()).unwrap().approvals;
    assert_eq!(approvals.iter().map(|approval| approval.user.as_str()).collect::<Vec<_>>(), ["alice"]);
    let as_root = world.twin.requests().into_iter().filter(|call| call.sudo.is_some());
    assert!(as_root.into_iter().all(|call| call.method == "POST" && call.path.ends_with("/approval")));
}

#[tokio::test]
async fn a_manual_job_is_played_and_one_that_still_waits_for_approvals_is_not() {
    let world = world().await;
    let (job, deployment) = world.deploy("9f1c");
    let refused = world.gitlab.play(world.project(), number(job)).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(_)), "{refused:?}");
    world.twin.unprotect_environment(world.shop, "production");
    world.gitlab.play(world.project(), number(job)).await.unwrap();
    let seen = world.gitlab.deployment(world.project(), &native(deployment)).await.unwrap();
    assert_eq!((seen.state, world.twin.plays(job)), (Progress::Running, 1));
}

#[tokio::test]
async fn a_cancelled_job_ends_its_deployment() {
    let world = world().await;
    let (job, deployment) = world.deploy("9f1c");
    world.gitlab.cancel(world.project(), number(job)).await.unwrap();
    let seen = world.gitlab.deployment(world.project(), &native(deployment)).await.unwrap();
    assert_eq!(seen.state, Progress::Cancelled);
}

#[tokio::test]
async fn only_living_memberships_count() {
    let world = world().await;
    let (twin, gitlab, project) = (&world.twin, &world.gitlab, world.project());
    let level =
        async |id| gitlab.member(project, user(id)).await.map(|member| (member.level, member.person.active));
    let mallory = twin.add_user("mallory", "Mallory");
    assert_eq!(level(world.alice).await, Ok((40, true)));
    assert_eq!(level(mallory).await, Ok((0, true)));

    twin.set_member(
        world.shop,
        Membership { state: MemberState::Awaiting, ..Membership::new(mallory, Level::OWNER) },
    );
    assert_eq!(level(mallory).await, Ok((0, true)));
    twin.set_user_state(world.alice, twin::UserState::Blocked);
    assert_eq!(level(world.alice).await, Ok((0, false)));
    assert_eq!(gitlab.account(user(world.dana)).await.map(|account| account.bot), Ok(false));
    assert_eq!(gitlab.me().await.map(|me| (me.username, me.bot)), Ok(("countersign".to_owned(), true)));
    assert_eq!(
        gitlab.user_named("DANA").await.map(|found| found.map(|account| account.id)),
        Ok(Some(user(world.dana)))
    );
    assert_eq!(gitlab.user_named("nobody").await, Ok(None));
}

#[tokio::test]
async fn groups_admit_direct_members_and_inherited_ones_only_if_asked() {
    let world = world().await;
    let (twin, gitlab) = (&world.twin, &world.gitlab);
    let org = twin.add_group("org", None);
    let sre = twin.add_group("sre", Some(org));
    twin.add_group_member(org, world.alice, Level::DEVELOPER);
    twin.add_group_member(sre, world.dana, Level::DEVELOPER);
    let group = GroupRef { path: "org/sre", id: number(sre) };
    assert_eq!(gitlab.group_id("org/sre").await, Err(Failure::NotFound));
    let unseen = gitlab.is_group_member(group, false, user(world.dana)).await;
    assert_eq!(unseen, Err(Failure::NotFound), "a group hidden from us says nothing about its members");
    twin.add_group_member(org, world.bot, Level::GUEST);
    let holds = async |inherited, id| gitlab.is_group_member(group, inherited, user(id)).await;
    assert_eq!(gitlab.group_id("org/sre").await, Ok(number(sre)));
    assert_eq!(holds(false, world.dana).await, Ok(true));
    assert_eq!(holds(false, world.alice).await, Ok(false));
    assert_eq!(holds(true, world.alice).await, Ok(true));
    let none = GroupRef { path: "org/none", id: 999_999 };
    assert_eq!(gitlab.is_group_member(none, true, user(world.dana)).await, Err(Failure::NotFound));

    let names = async |inherited| {
        let members = gitlab.group_members("org/sre", inherited).await.unwrap().unwrap();
        members.into_iter().filter(|account| !account.bot).map(|account| account.username).collect::<Vec<_>>()
    };
    assert_eq!(names(false).await, ["dana"]);
    assert_eq!(names(true).await, ["dana", "alice"]);
    let maintainers = gitlab.members_from(world.project(), 40).await.unwrap().unwrap();
    assert_eq!(maintainers.iter().filter(|account| account.bot).count(), 1);
    assert_eq!(maintainers.len(), 2);
}

#[tokio::test]
async fn a_conversation_on_a_merge_request() {
    let world = world().await;
    let (twin, gitlab) = (&world.twin, &world.gitlab);
    let iid = twin.open_merge_request(world.shop, world.dana, "feature", "Sell more");
    let at = world.at(Place::MergeRequest(number(iid)));
    let asked = twin.comment_on_mr(world.shop, iid, world.alice, "@countersign approve").unwrap().unwrap();
    let start = world.clock.time();
    world.clock.advance(SignedDuration::from_secs(60));
    let asked = comment(&at, asked);

    let read = gitlab.comment(&asked).await.unwrap().unwrap();
    assert_eq!(
        (read.text.as_str(), read.author, read.created_at),
        ("@countersign approve", user(world.alice), start)
    );

    let reply = gitlab.reply(&asked, &dana(), "/approve\nDone.\n\n<!-- countersign:1 -->").await.unwrap();
    let card = gitlab.post(&at, "Card\n\n<!-- countersign:10 -->").await.unwrap();
    gitlab.react(&asked).await.unwrap();
    gitlab.react(&asked).await.unwrap();

    let notes: Vec<_> = twin.notes_of(world.shop, iid).into_iter().filter(|note| !note.system).collect();
    assert_eq!(notes.len(), 3);
    assert_eq!(notes[0].discussion, notes[1].discussion, "the answer stands in the discussion");
    assert_ne!(notes[0].discussion, notes[2].discussion);
    assert_eq!(notes[0].reactions.len(), 1);
    assert!(notes[1].body.starts_with("\u{200b}/approve"), "no quick action was run: {}", notes[1].body);
    assert!(twin.merge_request(world.shop, iid).unwrap().approved_by.is_empty());

    assert_eq!(gitlab.find_own(&at, "countersign:1").await, Ok(vec![reply.comment]));
    assert_eq!(gitlab.find_own(&at, "countersign:10").await, Ok(vec![card.comment]));
    assert_eq!(gitlab.find_own(&at, "countersign:2").await, Ok(Vec::new()));
    twin.comment_on_mr(world.shop, iid, world.alice, "<!-- countersign:2 -->").unwrap();
    assert_eq!(gitlab.find_own(&at, "countersign:2").await, Ok(Vec::new()), "somebody else's marker is none");

    world.clock.advance(SignedDuration::from_secs(60));
    let edited = gitlab.edit(&at, card.comment, "Card 2").await.unwrap();
    assert_eq!((edited.comment, edited.at), (card.comment, world.clock.time()));
    let heard = gitlab.comments_since(&at, world.clock.time() - SignedDuration::from_secs(60)).await.unwrap();
    assert_eq!(heard.iter().filter(|comment| comment.author == user(world.alice)).count(), 1);
    assert!(heard.iter().all(|comment| !comment.system));

    gitlab.delete(&at, card.comment).await.unwrap();
    gitlab.delete(&at, card.comment).await.unwrap();
    assert_eq!(gitlab.edit(&at, card.comment, "x").await, Err(Failure::NotFound));
    assert_eq!(gitlab.comment(&comment(&at, u64::try_from(card.comment).unwrap())).await, Ok(None));
}

#[tokio::test]
async fn a_conversation_on_a_commit() {
    let world = world().await;
    let (twin, gitlab) = (&world.twin, &world.gitlab);
    twin.add_commit(world.shop, "9f1c", "Sell more", "Dana");
    let at = world.at(Place::Commit("9f1c".to_owned()));
    let asked = twin.comment_on_commit(world.shop, "9f1c", world.alice, "/deploy approve").unwrap().unwrap();
    let asked = comment(&at, asked);

    let read = gitlab.comment(&asked).await.unwrap().unwrap();
    assert_eq!(read.text, "/deploy approve");
    assert!(read.at.discussion.is_some(), "its discussion is known from now on");
    let reply = gitlab.reply(&read.at, &dana(), "Done. <!-- a -->").await.unwrap();
    let card = gitlab.post(&at, "Card <!-- b -->").await.unwrap();
    gitlab.react(&asked).await.unwrap();
    gitlab.edit(&at, card.comment, "Card 2 <!-- b -->").await.unwrap();

    let bodies: Vec<_> = twin.notes_of_commit(world.shop, "9f1c").into_iter().map(|note| note.body).collect();
    assert_eq!(bodies, ["/deploy approve", "Done. <!-- a -->", "Card 2 <!-- b -->"]);
    assert_eq!(gitlab.find_own(&at, "a").await, Ok(vec![reply.comment]));
    assert_eq!(gitlab.comments_since(&at, world.clock.time()).await.map(|comments| comments.len()), Ok(3));
    assert_eq!(gitlab.comment(&comment(&at, 999_999)).await, Ok(None));
}

#[tokio::test]
async fn an_internal_comment_is_not_heard_by_polling() {
    let world = world().await;
    let iid = world.twin.open_merge_request(world.shop, world.dana, "feature", "Sell more");
    world.twin.comment_internally(world.shop, iid, world.alice, "@countersign approve").unwrap();
    let at = world.at(Place::MergeRequest(number(iid)));
    assert_eq!(world.gitlab.comments_since(&at, Timestamp::UNIX_EPOCH).await, Ok(vec![]));
}

#[tokio::test]
async fn a_locked_conversation_takes_no_reply() {
    let world = world().await;
    let iid = world.twin.open_merge_request(world.shop, world.dana, "feature", "Sell more");
    let at = world.at(Place::MergeRequest(number(iid)));
    world.fault("/notes", Action::Answer { status: 403, body: r#"{"message":"403 Forbidden"}"#.to_owned() });
    assert_eq!(world.gitlab.post(&at, "Card").await, Err(Failure::Refused(Refusal::Locked)));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_may_have_been_done() {
    let world = world().await;
    let (job, deployment) = world.deploy("9f1c");
    let description = world.description(deployment).await;
    for action in [Action::ActThenDrop, Action::ActThenFail(502), Action::Truncate, Action::Drop] {
        world.fault("/approval", action);
        let outcome = world.gitlab.vote(&description, &own(Word::Approved, "fine")).await;
        assert!(matches!(outcome, Err(Failure::UnknownOutcome { .. })), "{outcome:?}");
    }
    world.fault("/play", Action::ActThenFail(503));
    let outcome = world.gitlab.play(world.project(), number(job)).await;
    assert!(matches!(outcome, Err(Failure::UnknownOutcome { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_read_without_an_answer_is_just_not_there() {
    let world = world().await;
    let (_, deployment) = world.deploy("9f1c");
    let known = native(deployment);
    let read = || world.gitlab.deployment(world.project(), &known);
    for action in [Action::Drop, Action::ActThenFail(500)] {
        world.fault("/deployments", action);
        assert!(matches!(read().await, Err(Failure::Unavailable { retry_after: None, .. })));
    }
    world.fault("/deployments", Action::TooManyRequests { retry_after: Some(7) });
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(read().await, Err(Failure::Unavailable { retry_after, .. }) if retry_after == asked));
    world.fault("/deployments", Action::TooManyRequests { retry_after: None });
    assert!(matches!(read().await, Err(Failure::Unavailable { retry_after: None, .. })));
    world.fault("/deployments", Action::Answer { status: 200, body: "<html>Sign in</html>".to_owned() });
    assert!(matches!(read().await, Err(Failure::Unreadable(_))));
    assert!(read().await.is_ok());
}

#[tokio::test]
async fn a_missing_project_is_gone_and_a_bad_token_is_not_absence() {
    let world = world().await;
    assert_eq!(world.gitlab.deployment(world.project(), &native(999_999)).await, Err(Failure::NotFound));
    assert_eq!(world.gitlab.project_at("acme/none").await, Err(Failure::NotFound));
    assert_eq!(world.gitlab.project_at("acme/shop").await.map(|project| project.id), Ok(world.project()));
    let settings = Settings {
        name: ForgeName::new("gitlab"),
        url: world.twin.url().parse().unwrap(),
        token: "glpat-wrong".into(),
        sudo_token: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(Watch(world.clock.clone()));
    let http = Http::new(Limits::default()).unwrap();
    let stranger = GitLab::new(settings.clone(), http.clone(), Arc::clone(&clock)).unwrap();
    let failure = stranger.project(world.project()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unauthorized(_)));
    assert!(!failure.to_string().contains("glpat"));

    let empty = Settings { sudo_token: Some(" ".into()), ..settings };
    assert_eq!(GitLab::new(empty, http, clock).err(), Some(SettingsError::EmptyToken));
}

#[tokio::test]
async fn hooks_as_gitlab_sends_them_are_understood() {
    const SIGNING: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let world = world().await;
    let (twin, project) = (&world.twin, world.project());
    // Nobody listens there; the twin keeps what it sent.
    twin.set_disable_failing_hooks(false);
    let hook = NewHook::new("http://127.0.0.1:9/hooks/gitlab").every_event();
    twin.add_hook(world.shop, hook.token("sesame").signing_token(SIGNING));
    let inbound =
        GitLabInbound::new(ForgeName::new("gitlab"), &[SIGNING.into()], vec!["sesame".into()]).unwrap();
    let iid = twin.open_merge_request(world.shop, world.dana, "feature", "Sell more");
    let (_, deployment) = world.deploy("9f1c");
    let note = twin.comment_on_mr(world.shop, iid, world.alice, "@countersign approve").unwrap().unwrap();
    twin.approve_merge_request(world.shop, iid, world.alice).unwrap();
    twin.deliver_hooks().await;

    let mut events = Vec::new();
    for delivery in twin.deliveries() {
        let headers: Vec<_> = delivery
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes()))
            .collect();
        let raw = RawDelivery { headers: &borrowed(&headers), body: delivery.body.as_bytes() };
        match inbound.receive(raw, world.clock.time()).unwrap() {
            Received::Ours(verified) => {
                assert_eq!(Some(verified.id.as_str()), delivery.header("idempotency-key"));
                events.extend(verified.events);
            }
            Received::NotOurs(_) | Received::Told(_) => {}
        }
    }

    let conversation = world.at(Place::MergeRequest(number(iid)));
    let is_blocked = |event: &Event| {
        matches!(event, Event::DeploymentChanged { native: named, blocked_at: Some(at), .. }
            if *named == native(deployment) && *at == world.clock.time())
    };
    let is_comment = |event: &Event| {
        matches!(event, Event::Commented { comment, heard: Heard::Hook { author, .. }, .. }
            if comment.comment == number(note) && comment.conversation == conversation && *author == user(world.alice))
    };
    let approved = Event::MergeRequestApproved { conversation: conversation.clone(), by: user(world.alice) };
    let waits = Event::SomethingWaits { forge: ForgeName::new("gitlab"), project };
    assert_eq!(events.iter().filter(|event| is_blocked(event)).count(), 1, "{events:?}");
    assert_eq!(events.iter().filter(|event| is_comment(event)).count(), 1, "{events:?}");
    assert!(events.contains(&approved) && events.contains(&waits), "{events:?}");
}
