//! A channel of Slack in which deployments are announced.

use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use countersign::sim::faults::{Action, Rule};
use countersign::sim::slack::{ChannelId, NewUser, Slack, Ts, UserId};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The twin of Slack with one channel; bob's account there is linked to his on the forge.
pub(crate) struct Channel {
    pub(crate) slack: Slack,
    pub(crate) bob: UserId,
    id: ChannelId,
    api_url: String,
    runtime: Handle,
}

impl Channel {
    pub(crate) fn open(runtime: &Handle) -> anyhow::Result<Self> {
        let slack = Slack::new(Arc::new(|| SystemClock.now()));
        let api_url = format!("{}/api", runtime.block_on(slack.start())?);
        let bob = slack.add_user(NewUser::member("bob"));
        let id = slack.add_channel("deploys", &[&bob]);
        Ok(Self { slack, bob, id, api_url, runtime: runtime.clone() })
    }

    /// What a configuration says of it: where deployments are announced, then tables.
    pub(crate) fn configuration(&self) -> String {
        let Self { slack, bob, id, api_url, .. } = self;
        let (token, secret, team) = (slack.bot_token(), slack.signing_secret(), slack.team());
        format!(
            "notify = ['slack:{id}']\n[[slack]]\napi_url = '{api_url}'\nbot_token = '{token}'\n\
             signing_secrets = ['{secret}']\nteam_ids = ['{team}']\n[[person]]\ngitlab = 'bob'\nslack = '{bob}'\n"
        )
    }

    /// Commands and presses go to this server.
    pub(crate) fn hook(&self, to: SocketAddr) {
        self.slack.set_request_url(&format!("http://{to}/hooks/slack"));
    }

    /// Slack asks everybody to come back in an hour.
    pub(crate) fn turn_away(&self) {
        self.slack.add_fault(Rule::new("", Action::TooManyRequests { retry_after: Some(3600) }));
    }

    /// The message that can be approved, if there is one.
    pub(crate) fn card(&self) -> Option<Ts> {
        let cards = self.slack.messages_of(&self.id).into_iter();
        let mut open = cards.filter(|card| card.buttons.iter().any(|button| button.action_id == "approve"));
        open.next().map(|card| card.ts)
    }

    /// Bob presses Approve and returns when Slack was answered; whether it was well and in time.
    pub(crate) fn approve(&self, card: &str) -> bool {
        let press = self.slack.press(&self.bob, &self.id, card, "approve");
        self.runtime.block_on(press).is_ok_and(|shown| shown.in_time && shown.status == Some(200))
    }

    /// Whether a message was edited since the calls were last forgotten so that it tells this.
    pub(crate) fn is_edited_to(&self, words: &str) -> bool {
        let calls = self.slack.requests();
        calls.iter().any(|call| {
            call.api_method() == "chat.update" && call.error.is_none() && call.body.contains(words)
        })
    }
}
