//! Stories in Mattermost.

use super::{ChatStage, LINKED, Opens, PEOPLE, Seen};
use crate::story::stage::{Done, Switches};
use async_trait::async_trait;
use countersign::sim::clock::HandClock;
use countersign::sim::faults::{Rule, Watcher};
use countersign::sim::mattermost::{Mattermost, NewPost, PostView, Shown, Submission};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;

/// The twin, with a team, a channel and everybody in it.
pub(crate) struct OnMattermost {
    mattermost: Mattermost,
    url: String,
    team: String,
    channel: String,
    users: BTreeMap<&'static str, String>,
    caught: Mutex<Option<(PostView, String)>>,
}

impl Opens for OnMattermost {
    async fn open(clock: &HandClock, _: &Switches) -> Box<dyn ChatStage> {
        let mattermost = Mattermost::new(clock.now());
        let url = mattermost.start().await.unwrap();
        let team = mattermost.add_team("acme");
        let users: BTreeMap<&'static str, String> =
            PEOPLE.map(|name| (name, mattermost.add_user(name))).into();
        let members: Vec<&str> = users.values().map(String::as_str).collect();
        let channel = mattermost.add_channel(&team, "deploys", &members);
        Box::new(Self { mattermost, url, team, channel, users, caught: Mutex::default() })
    }
}

impl OnMattermost {
    fn id(&self, name: &str) -> Result<&str, String> {
        self.users.get(name).map(String::as_str).ok_or_else(|| format!("nobody here is called {name}"))
    }

    /// The newest card, and what hides behind its first button.
    fn card(&self) -> Result<(PostView, Value), String> {
        let bot = self.mattermost.bot_user();
        let posts = self.mattermost.posts_of(&self.channel);
        let card = posts.into_iter().rfind(|post| post.author == bot && !post.buttons.is_empty());
        let card = card.ok_or("there is no card with buttons")?;
        let attachments = card.props.pointer("/attachments").cloned().ok_or("it has no attachments")?;
        Ok((card, attachments))
    }
}

#[async_trait]
impl ChatStage for OnMattermost {
    fn name(&self) -> &'static str {
        "mattermost"
    }

    fn channel(&self) -> String {
        "mattermost:acme/deploys".to_owned()
    }

    fn channel_by_id(&self) -> String {
        format!("mattermost:{}", self.channel)
    }

    fn tables(&self, forge: &str, countersign: SocketAddr) -> String {
        let hook = format!("http://{countersign}/hooks/mattermost");
        let token = self.mattermost.set_command(&self.team, "deploy", &hook);
        let mut tables = format!(
            "[[mattermost]]\nurl = \"{}\"\nbot_token = \"{}\"\ncommand_tokens = [\"{token}\"]\n",
            self.url,
            self.mattermost.bot_token(),
        );
        for name in LINKED {
            let _ = write!(tables, "[[person]]\n{forge} = \"{name}\"\nmattermost = \"{name}\"\n");
        }
        tables
    }

    fn watch(&self, watcher: Watcher) {
        self.mattermost.set_watcher(Some(watcher));
    }

    fn messages(&self) -> Vec<Seen> {
        let bot = self.mattermost.bot_user();
        self.mattermost
            .posts_of(&self.channel)
            .into_iter()
            .filter(|post| post.author == bot)
            .map(seen)
            .collect()
    }

    fn whispers(&self, to: &str) -> Vec<Seen> {
        let Some(user) = self.users.get(to) else { return Vec::new() };
        let direct = self.mattermost.direct_channel(&self.mattermost.bot_user(), user);
        let posts = self.mattermost.ephemerals_of(user).into_iter().chain(self.mattermost.posts_of(&direct));
        posts.map(seen).collect()
    }

    fn notified(&self) -> Vec<String> {
        let name =
            |id: &String| self.users.iter().find(|(_, user)| *user == id).map(|(name, _)| (*name).to_owned());
        self.mattermost
            .pings()
            .iter()
            .map(|ping| name(&ping.who).unwrap_or_else(|| ping.who.clone()))
            .collect()
    }

    async fn types(&self, by: &str, words: &str, thread: Option<&str>) -> Done {
        let line = format!("/deploy {words}");
        let shown = self.mattermost.command(self.id(by)?, &self.channel, thread, line.trim()).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    async fn presses(&self, by: &str, on: &Seen, button: &str) -> Done {
        let user = self.id(by)?;
        let all =
            self.mattermost.posts_of(&self.channel).into_iter().chain(self.mattermost.ephemerals_of(user));
        let post = all.into_iter().find(|post| post.id == on.id).ok_or("the message is gone")?;
        let found = post.buttons.iter().find(|known| known.name == button);
        let found = found.ok_or_else(|| format!("there is no button {button}"))?;
        let shown = self.mattermost.press(user, &post.id, &found.id).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    fn form(&self, of: &str) -> Option<String> {
        let dialogs = self.mattermost.dialogs_of(self.users.get(of)?);
        let dialog = dialogs.into_iter().rfind(|dialog| dialog.open)?;
        Some(format!("{}\n{}", dialog.title, dialog.introduction))
    }

    async fn sends(&self, by: &str, reason: Option<&str>) -> Done {
        let user = self.id(by)?;
        let dialogs = self.mattermost.dialogs_of(user);
        let dialog = dialogs.iter().rfind(|dialog| dialog.open).ok_or("no form stands open")?;
        if !dialog.faults.is_empty() {
            return Err(format!("Mattermost finds fault with the dialog: {:?}", dialog.faults));
        }
        let values: Vec<(&str, &str)> = dialog.fields.iter().map(String::as_str).zip(reason).collect();
        let shown = self.mattermost.submit_dialog(user, &values).await;
        well(shown.map_err(|refused| format!("{refused:?}"))?)
    }

    fn confirms_by_form(&self) -> bool {
        true
    }

    fn path_of_edits(&self) -> &'static str {
        "/patch"
    }

    fn add_fault(&self, rule: Rule) {
        self.mattermost.add_fault(rule);
    }

    fn clear_faults(&self) {
        self.mattermost.clear_faults();
    }

    fn close_edits(&self) {
        self.mattermost.set_edit_window(Some(SignedDuration::ZERO));
    }

    fn arrange(&self, words: &[&str]) -> Result<bool, String> {
        match words {
            [name, "is", "no", "member", "of", "the", "channel"] => {
                self.mattermost.kick(&self.channel, self.id(name)?);
            }
            [name, "loses", "the", "account", "in", "the", "chat"] => {
                self.mattermost.deactivate(self.id(name)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn act(&self, by: &str, words: &[&str]) -> Result<bool, String> {
        match words {
            ["baits", victim, "with", "a", "copy", "of", "the", "card"] => {
                let (_, attachments) = self.card()?;
                let copy = NewPost::new("free coffee").props(json!({ "attachments": attachments }));
                self.bait(by, victim, copy).await?;
            }
            ["baits", victim, "with", "a", "button", "of", "his", "own"] => {
                let (card, _) = self.card()?;
                let url = card.buttons.first().map(|button| button.url.clone()).unwrap_or_default();
                let context = json!({ "subject": "guessed", "word": "approved" });
                let action = json!({ "id": "coffee", "type": "button", "name": "Coffee", "integration": { "url": url, "context": context } });
                let props = json!({ "attachments": [{ "text": "free coffee", "actions": [action] }] });
                self.bait(by, victim, NewPost::new("free coffee").props(props)).await?;
            }
            ["catches", "the", "button", button] => {
                let (card, _) = self.card()?;
                *self.caught.lock().unwrap() = Some((card, (*button).to_owned()));
            }
            ["presses", "the", "button", "that", "he", "caught"] => {
                let caught = self.caught.lock().unwrap().clone();
                let (card, button) = caught.ok_or("nothing was caught")?;
                let action =
                    card.buttons.iter().find(|known| known.name == button).ok_or("no such button")?;
                let pressed = self.mattermost.press_as_it_was(self.id(by)?, &card, &action.id).await;
                well(pressed.map_err(|refused| format!("{refused:?}"))?)?;
            }
            ["sends", "a", "form", "that", "was", "never", "opened"] => {
                let (card, _) = self.card()?;
                let url = card.buttons.first().map(|button| button.url.clone()).unwrap_or_default();
                let submission = Submission {
                    url,
                    callback_id: "countersign".to_owned(),
                    state: "{\"word\":\"approved\"}".to_owned(),
                    channel_id: self.channel.clone(),
                    submission: json!({}),
                    cancelled: false,
                };
                let shown = self.mattermost.submit_as_client(self.id(by)?, submission).await;
                refused(&shown.map_err(|refused| format!("{refused:?}"))?)?;
            }
            ["replays", "the", "last", "request"] => {
                let last =
                    self.mattermost.deliveries().last().map(|delivery| delivery.id).ok_or("there is none")?;
                self.mattermost.resend(last).await.ok_or("it can't be sent")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl OnMattermost {
    /// Somebody posts buttons, and somebody else presses the first of them.
    async fn bait(&self, by: &str, victim: &str, post: NewPost) -> Done {
        let id = self.mattermost.post_as(self.id(by)?, &self.channel, post).map_err(|r| format!("{r:?}"))?;
        let post = self.mattermost.post(&id).ok_or("the post is gone")?;
        let button = post.buttons.first().ok_or("it has no button")?;
        self.mattermost.press(self.id(victim)?, &id, &button.id).await.map_err(|r| format!("{r:?}"))?;
        Ok(())
    }
}

fn seen(post: PostView) -> Seen {
    Seen {
        id: post.id,
        thread: post.root_id,
        text: post.seen,
        buttons: post.buttons.into_iter().map(|button| button.name).collect(),
        links: Vec::new(),
    }
}

/// Mattermost has nothing to complain of.
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
