//! One chat: its token and its clock; then the channels that are told, and the people who decide there.
//!
//! * `slack` and `mattermost`: what only one kind has.
//! * `channels` and `people`: what is asked of both alike.

mod channels;
mod mattermost;
mod people;
mod slack;

use super::report::Report;
use crate::config::{Config, Mattermost, Slack};
use crate::domain::id::ChatName;
use crate::ports::chat::Chat;
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::inspect::{ChatCredential, InspectChat};
use crate::ports::store::Store;
use jiff::SignedDuration;

/// A chat whose set-up can be looked at.
pub(super) trait Patient: Chat + InspectChat {}

impl<T: Chat + InspectChat> Patient for T {}

/// Which chat it is, and how it is set up on our side.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Slack(&'a Slack),
    Mattermost(&'a Mattermost),
}

/// Looks at one chat.
pub(super) struct Doctor<'a> {
    pub(super) chat: &'a dyn Patient,
    pub(super) kind: Kind<'a>,
    pub(super) config: &'a Config,
    pub(super) clock: &'a dyn Clock,
    pub(super) report: &'a mut Report,
}

impl<'a> Doctor<'a> {
    pub(super) async fn examine(mut self, store: Option<&dyn Store>) {
        let Some(token) = self.token().await else { return };
        match self.kind {
            Kind::Slack(settings) => self.slack(settings, &token),
            Kind::Mattermost(settings) => self.mattermost(settings),
        }
        let rooms = self.channels(&token).await;
        self.people(&token, &rooms, store).await;
    }

    async fn token(&mut self) -> Option<ChatCredential> {
        let name = self.name();
        let answer = self.chat.credential().await;
        let token = self.read(&format!("{name}: the bot's account"), answer)?;
        if token.bot {
            self.report.fine(format!("{name}: the token is that of the bot @{}", token.account));
        } else {
            let text = format!("{name}: the token is that of @{}, who is no bot", token.account);
            self.report.find(text, self.kind.another_token());
        }
        let apart = token.answered_at.map(|theirs| self.clock.now().duration_since(theirs).abs());
        let (refused, wrong) = self.kind.refuses_clocks();
        self.report.clocks(name.as_str(), apart, refused, wrong);
        Some(token)
    }

    fn name(&self) -> &'a ChatName {
        self.chat.name()
    }

    /// What was read; where it couldn't be, a finding says so.
    fn read<T>(&mut self, what: &str, answer: Result<T, Failure>) -> Option<T> {
        let kind = self.kind;
        answer
            .map_err(|failure| {
                self.report.find(format!("{what} can't be read: {failure}"), kind.remedy(&failure));
            })
            .ok()
    }
}

impl Kind<'_> {
    /// Where the right token is.
    fn another_token(self) -> &'static str {
        match self {
            Self::Slack(_) => {
                "put the app's \"Bot User OAuth Token\" into `bot_token`: it begins with xoxb- and stands on the app's \
                 page under \"OAuth & Permissions\""
            }
            Self::Mattermost(_) => {
                "put an access token of a bot account into `bot_token` (System Console, Integrations, Bot Accounts)"
            }
        }
    }

    /// From which distance of the clocks on something goes wrong, and what.
    fn refuses_clocks(self) -> (SignedDuration, &'static str) {
        match self {
            Self::Slack(_) => (SignedDuration::from_mins(4), "signed requests are refused"),
            Self::Mattermost(_) => (SignedDuration::MAX, "nothing can be decided"),
        }
    }

    /// What mends a call that failed.
    fn remedy(self, failure: &Failure) -> &'static str {
        match failure {
            Failure::Unavailable { .. } | Failure::HeldBack { .. } | Failure::UnknownOutcome { .. } => {
                "see whether the chat can be reached from here, and run the check again"
            }
            Failure::Unauthorized(_) => self.another_token(),
            Failure::NotFound | Failure::Refused(Refusal::NoPermission) => match self {
                Self::Slack(_) => "correct the name, or give the app the scopes of config/slack-manifest.yml",
                Self::Mattermost(_) => "correct the name, or add the bot to the team and to the channel",
            },
            Failure::Refused(_) => "see what the chat says",
            Failure::Unreadable(_) => match self {
                Self::Slack(_) => "see whether `api_url` is that of Slack's Web API",
                Self::Mattermost(_) => "see whether `url` is that of the Mattermost server",
            },
        }
    }
}
