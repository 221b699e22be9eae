//! Slash commands of Slack, as it sends them: a form, signed with its second.

use crate::channel::Channel;
use crate::load::Kind;
use countersign::sim::slack::{TeamId, UserId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::form_urlencoded::Serializer;

/// Commands are spread over so many channels.
const CHANNELS: u64 = 100;

/// `/deploy approve production`, typed again and again.
pub(crate) struct Commands {
    secret: String,
    team: TeamId,
    user: UserId,
}

impl Commands {
    /// Sent by the Slack of this channel, in the name of the one who approves there.
    pub(crate) fn new(channel: &Channel) -> Self {
        let slack = &channel.slack;
        Self { secret: slack.signing_secret(), team: slack.team(), user: channel.bob.clone() }
    }
}

impl Kind for Commands {
    fn path(&self) -> &'static str {
        "/hooks/slack"
    }

    fn body(&self, number: u64) -> String {
        let Self { team, user, .. } = self;
        let channel = format!("C{:010}", 1 + number % CHANNELS);
        let response_url =
            format!("https://hooks.slack.com/commands/{team}/{number:012}/96rGlfmibIGlgcZRskXaIFfN");
        let fields = [
            ("token", "xyzz0WbapA4vBCDEFasx0q6G"),
            ("team_id", team),
            ("team_domain", "acme"),
            ("channel_id", &channel),
            ("channel_name", "deploys"),
            ("user_id", user),
            ("user_name", "bob"),
            ("command", "/deploy"),
            ("text", "approve production"),
            ("api_app_id", "A0000000201"),
            ("is_enterprise_install", "false"),
            ("response_url", &response_url),
            ("trigger_id", &format!("13345224609.738474920.{number:032x}")),
        ];
        Serializer::new(String::new()).extend_pairs(fields).finish()
    }

    fn proof(&self, _: u64, at: i64, body: &str) -> anyhow::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(format!("v0:{at}:{body}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        Ok(format!(
            "user-agent: Slackbot 1.0 (+https://api.slack.com/robots)\r\naccept: application/json,*/*\r\n\
             content-type: application/x-www-form-urlencoded\r\nx-slack-request-timestamp: {at}\r\n\
             x-slack-signature: v0={signature}\r\n"
        ))
    }
}
