//! Who people are, and how Slack is set up.

use super::*;
use crate::domain::chat::{Channel, ChatUser, NoVoice};
use crate::ports::chat::{Chat as _, Presence};
use crate::ports::inspect::{ChannelSeen, InspectChat as _};

impl Stage {
    async fn voice(&self, id: &str, team: Option<&str>) -> Option<NoVoice> {
        let who = ChatUser { id: id.to_owned(), team: team.map(str::to_owned) };
        let Presence { name, no_voice } = self.slack.presence(&who, &self.channel()).await.unwrap();
        assert_eq!(name, id);
        no_voice
    }
}

fn named(channel: &str) -> Channel {
    Channel { chat: ChatName::new("slack"), name: channel.to_owned() }
}

#[tokio::test]
async fn full_members_of_the_workspace_alone_have_a_say() {
    let stage = stage().await;
    let team = stage.twin.team();
    let bot = stage.twin.add_user(NewUser::bot("deploybot"));
    let visitor = stage.twin.add_user(NewUser::single_channel_guest("vera"));
    assert_eq!(stage.voice(&stage.dana, Some(&team)).await, None);
    assert_eq!(stage.voice(&stage.dana, None).await, None);
    assert_eq!(stage.voice(&stage.gina, Some(&team)).await, Some(NoVoice::Guest));
    assert_eq!(stage.voice(&visitor, Some(&team)).await, Some(NoVoice::Guest));
    assert_eq!(stage.voice(&bot, Some(&team)).await, Some(NoVoice::Bot));
    assert_eq!(stage.voice("U404", Some(&team)).await, Some(NoVoice::Nobody));
}

#[tokio::test]
async fn people_of_another_workspace_are_foreign_whatever_the_delivery_says() {
    let stage = stage().await;
    let team = stage.twin.team();
    assert_eq!(stage.voice(&stage.mallory, Some(&team)).await, Some(NoVoice::Foreigner));
    assert_eq!(stage.voice(&stage.mallory, None).await, Some(NoVoice::Foreigner));
    assert_eq!(stage.voice(&stage.dana, Some("T999")).await, Some(NoVoice::Foreigner));
}

#[tokio::test]
async fn an_account_is_asked_for_anew_each_time() {
    let stage = stage().await;
    assert_eq!(stage.voice(&stage.dana, None).await, None);
    stage.twin.deactivate(&stage.dana);
    assert_eq!(stage.voice(&stage.dana, None).await, Some(NoVoice::Deactivated));
}

#[tokio::test]
async fn what_slack_does_not_tell_of_somebody_is_no_permission() {
    let stage = stage().await;
    let who = ChatUser { id: stage.dana.clone(), team: None };
    let team = stage.twin.team();
    let body =
        format!(r#"{{"ok":true,"user":{{"id":"U1","team_id":"{team}","deleted":false,"is_bot":false}}}}"#);
    stage.twin.add_fault(Rule::new("users.info", Action::Answer { status: 200, body }));
    let outcome = stage.slack.presence(&who, &stage.channel()).await;
    assert_eq!(outcome, Err(Failure::Unreadable("users.info doesn't tell is_restricted".to_owned())));
}

#[tokio::test]
async fn a_member_of_a_configured_organisation_has_a_say_in_each_of_its_workspaces() {
    let stage = stage().await;
    let settings = Settings {
        name: ChatName::new("slack"),
        api_url: format!("{}/api", stage.twin.url()).parse().unwrap(),
        bot_token: stage.twin.bot_token().into(),
        team_ids: vec!["E1".to_owned()],
    };
    let slack = Slack::new(settings, &http(), Arc::new(Watch(stage.clock.clone()))).unwrap();
    let user = |enterprise: &str| {
        let body = format!(
            r#"{{"ok":true,"user":{{"id":"W1","team_id":"T7","deleted":false,"is_bot":false,"is_restricted":false,
            "is_ultra_restricted":false,"enterprise_user":{{"enterprise_id":"{enterprise}","teams":["T7"]}}}}}}"#
        );
        Rule::new("users.info", Action::Answer { status: 200, body }).times(1)
    };
    let who = ChatUser { id: "W1".to_owned(), team: Some("T8".to_owned()) };
    for (enterprise, no_voice) in [("E1", None), ("E2", Some(NoVoice::Foreigner))] {
        stage.twin.add_fault(user(enterprise));
        assert_eq!(slack.presence(&who, &stage.channel()).await.unwrap().no_voice, no_voice);
    }
}

#[tokio::test]
async fn the_token_tells_whose_it_is_and_what_it_is_good_for() {
    let stage = stage().await;
    stage.twin.set_scopes(&["commands", "chat:write"]);
    let credential = stage.slack.credential().await.unwrap();
    assert_eq!((credential.account.as_str(), credential.bot), ("countersign", true));
    assert_eq!(credential.team, Some(stage.twin.team()));
    assert_eq!(credential.scopes, Some(vec!["commands".to_owned(), "chat:write".to_owned()]));
    assert!(credential.answered_at.is_some());
}

#[tokio::test]
async fn channels_and_accounts_are_looked_at() {
    let stage = stage().await;
    let seen = stage.slack.channel_seen(&named(&stage.deploys)).await.unwrap();
    let id = stage.channel();
    assert_eq!(seen, ChannelSeen { id, name: "deploys".into(), archived: false, member: true, shared: true });
    let quiet = stage.twin.add_channel("quiet", &[&stage.dana]);
    stage.twin.kick(&quiet, &stage.twin.bot_user());
    stage.twin.archive(&quiet);
    let seen = stage.slack.channel_seen(&named(&quiet)).await.unwrap();
    assert!(seen.archived && !seen.member && !seen.shared);
    assert_eq!(stage.slack.channel_seen(&named("C404")).await, Err(Failure::NotFound));

    let dana = ChatUser { id: stage.dana.clone(), team: Some(stage.twin.team()) };
    assert_eq!(stage.slack.account_named(&stage.dana).await, Ok(Some(dana)));
    assert_eq!(stage.slack.account_named("dana").await, Ok(None));
}
