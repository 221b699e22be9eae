//! Stories in Slack.

use super::{ChatStage, LINKED, Opens, PEOPLE, Seen};
use crate::story::stage::{Done, Switches};
use crate::story::steps::{contains, expect, number};
use async_trait::async_trait;
use countersign::sim::clock::HandClock;
use countersign::sim::faults::{Action, Rule, Watcher};
use countersign::sim::slack::{Forgery, MessageView, NewUser, Shown, Slack};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// The twin, with a channel and everybody in it.
pub(crate) struct OnSlack {
    slack: Slack,
    api_url: String,
    channel: String,
    /// A second one, which only some environments tell.
    other: String,
    users: BTreeMap<&'static str, String>,
}

impl Opens for OnSlack {
    async fn open(clock: &HandClock, switches: &Switches) -> Box<dyn ChatStage> {
        let slack = Slack::new(clock.now());
        let api_url = format!("{}/api", slack.start().await.unwrap());
        let elsewhere = slack.add_team("elsewhere");
        let new = |name: &'static str| {
            let user = if name == "carol" && switches.on("carol is a guest in the chat") {
                NewUser::guest(name)
            } else if name == "carol" && switches.on("carol is a single-channel guest in the chat") {
                NewUser::single_channel_guest(name)
            } else if name == "carol" && switches.on("carol is of another workspace") {
                NewUser::of_team(name, &elsewhere)
            } else {
                NewUser::member(name)
            };
            (name, slack.add_user(user))
        };
        let users: BTreeMap<&'static str, String> = PEOPLE.map(new).into();
        let members: Vec<&str> = users.values().map(String::as_str).collect();
        let channel = slack.add_channel("deploys", &members);
        let other = slack.add_channel("releases", &members);
        Box::new(Self { slack, api_url, channel, other, users })
    }
}

impl OnSlack {
    fn id(&self, name: &str) -> Result<&str, String> {
        self.users.get(name).map(String::as_str).ok_or_else(|| format!("nobody here is called {name}"))
    }
}

#[async_trait]
impl ChatStage for OnSlack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn channel(&self) -> String {
        format!("slack:{}", self.channel)
    }

    fn tables(&self, forge: &str, countersign: SocketAddr) -> String {
        self.slack.set_request_url(&format!("http://{countersign}/hooks/slack"));
        let mut tables = format!(
            "[[slack]]\napi_url = \"{}\"\nbot_token = \"{}\"\nsigning_secrets = [\"{}\"]\nteam_ids = [\"{}\"]\n",
            self.api_url,
            self.slack.bot_token(),
            self.slack.signing_secret(),
            self.slack.team(),
        );
        for name in LINKED {
            let _ = write!(tables, "[[person]]\n{forge} = \"{name}\"\nslack = \"{}\"\n", self.users[name]);
        }
        tables
    }

    fn tables_of_another(&self, tables: &str) -> String {
        let own = tables.split("bot_token = \"").nth(1).and_then(|rest| rest.split('"').next());
        tables.replace(own.expect("the tables name the bot's token"), &self.slack.rotate_token())
    }

    fn watch(&self, watcher: Watcher) {
        self.slack.set_watcher(Some(watcher));
    }

    fn messages(&self) -> Vec<Seen> {
        let bot = self.slack.bot_user();
        self.slack.messages_of(&self.channel).into_iter().filter(|m| m.author == bot).map(seen).collect()
    }

    fn whispers(&self, to: &str) -> Vec<Seen> {
        let Some(user) = self.users.get(to) else { return Vec::new() };
        self.slack.ephemerals_of(user).into_iter().map(seen).collect()
    }

    fn notified(&self) -> Vec<String> {
        let name =
            |id: &String| self.users.iter().find(|(_, user)| *user == id).map(|(name, _)| (*name).to_owned());
        self.slack.pings().iter().map(|ping| name(&ping.who).unwrap_or_else(|| ping.who.clone())).collect()
    }

    async fn types(&self, by: &str, words: &str, thread: Option<&str>) -> Done {
        if thread.is_some() {
            return Err("Slack takes no slash command in a thread".to_owned());
        }
        let shown = self.slack.command(self.id(by)?, &self.channel, "/deploy", words).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    async fn presses(&self, by: &str, on: &Seen, button: &str) -> Done {
        let user = self.id(by)?;
        let all = self.slack.messages_of(&self.channel).into_iter().chain(self.slack.ephemerals_of(user));
        let message = all.into_iter().find(|message| message.ts == on.id).ok_or("the message is gone")?;
        let found = message.buttons.iter().find(|known| known.label == button);
        let found = found.ok_or_else(|| format!("there is no button {button}"))?;
        let shown = self.slack.press_button(user, &self.channel, &message.ts, found).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    fn form(&self, of: &str) -> Option<String> {
        let view = self.slack.open_view(self.users.get(of)?)?;
        let view = self.slack.views_of(self.users.get(of)?).into_iter().find(|known| known.id == view)?;
        Some(format!("{}\n{}", view.title, view.seen))
    }

    async fn sends(&self, by: &str, reason: Option<&str>) -> Done {
        let user = self.id(by)?;
        let view = self.slack.open_view(user).ok_or("no form stands open")?;
        let views = self.slack.views_of(user);
        let field =
            views.iter().find(|known| known.id == view).and_then(|known| known.fields.first().cloned());
        let values: Vec<(&str, &str)> = field.iter().map(String::as_str).zip(reason).collect();
        let shown = self.slack.submit_view(user, &view, &values).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    fn confirms_by_form(&self) -> bool {
        false
    }

    fn path_of_edits(&self) -> &'static str {
        "chat.update"
    }

    fn add_fault(&self, rule: Rule) {
        self.slack.add_fault(rule);
    }

    fn clear_faults(&self) {
        self.slack.clear_faults();
    }

    fn close_edits(&self) {
        self.slack.set_edit_window(Some(SignedDuration::ZERO));
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{other channel}", &self.other)
    }

    fn check(&self, words: &[&str]) -> Result<bool, String> {
        let ["the", "other", "channel's", "message", words @ ..] = words else { return Ok(false) };
        let newest = self.slack.messages_of(&self.other).into_iter().rfind(|m| m.thread_ts.is_none());
        let newest = seen(newest.ok_or("there is none")?);
        match words {
            ["says", part] => contains(&newest.text, part)?,
            ["has", count, "buttons"] => {
                let decides = newest.buttons.iter().filter(|button| *button != "Open").count();
                expect(&decides.to_string(), &number(count)?.to_string())?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn arrange(&self, words: &[&str]) -> Result<bool, String> {
        match words {
            ["the", "next", "request", "is", "signed", "with", "another", "secret"] => {
                self.slack.forge_next(Forgery::WrongSecret);
            }
            ["the", "signing", "secret", "is", "rotated"] => {
                self.slack.rotate_signing_secret();
            }
            [name, "loses", "the", "account", "in", "the", "chat"] => self.slack.deactivate(self.id(name)?),
            ["the", "chat", "answers", "500", "to", "the", "next", "question", "who", "somebody", "is"] => {
                let action = Action::Answer { status: 500, body: "{}".to_owned() };
                self.slack.add_fault(Rule::new("users.info", action).times(1));
            }
            ["countersign", "may", "not", "read", "the", "channel"] => {
                self.slack.set_scopes(&["commands", "chat:write", "users:read"]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn act(&self, by: &str, words: &[&str]) -> Result<bool, String> {
        match words {
            ["replays", "the", "last", "request"] => {
                let last =
                    self.slack.deliveries().last().map(|delivery| delivery.id).ok_or("there is none")?;
                self.slack.resend(last).await.ok_or("it can't be sent")?;
            }
            ["types", text, "but", "it", "is", "refused"] => {
                let text = super::command(text)?;
                let shown = self.slack.command(self.id(by)?, &self.channel, "/deploy", text).await;
                refused(&shown.map_err(|refused| format!("{refused:?}"))?)?;
            }
            ["smuggles", text, "past", "the", "signature"] => {
                let user = self.id(by)?;
                let smuggled = [
                    ("user_id", user),
                    ("command", "/deploy"),
                    ("text", super::command(text)?),
                    ("channel_id", &self.channel),
                ];
                let shown = self.slack.ssl_check(&smuggled).await;
                if shown.status != Some(200) || !shown.body.is_empty() {
                    return Err(format!("it was answered {shown:?}"));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn seen(message: MessageView) -> Seen {
    Seen {
        id: message.ts,
        thread: message.thread_ts,
        text: format!("{}\n{}", message.seen, message.text),
        buttons: message.buttons.into_iter().map(|button| button.label).collect(),
        links: message.links.into_iter().map(|link| link.url).collect(),
    }
}

/// Slack has nothing to complain of.
fn well(shown: Shown) -> Done {
    match (shown.status, shown.in_time, shown.text) {
        (Some(200), true, None) => Ok(()),
        (status, in_time, text) => {
            Err(format!("answered {status:?}, in time: {in_time}, {text:?}: {}", shown.body))
        }
    }
}

fn refused(shown: &Shown) -> Done {
    if shown.status == Some(401) { Ok(()) } else { Err(format!("it was answered {:?}", shown.status)) }
}
