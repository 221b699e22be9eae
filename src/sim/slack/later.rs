//! `response_url`: answers that come after the acknowledgement, five of them within half an hour.

use jiff::{SignedDuration, Timestamp};

use super::args::Args;
use super::contents::Content;
use super::messages::Place;
use super::mrkdwn::Auto;
use super::state::{Error, State};
use super::{ChannelId, Ts, UserId};

const MOST_USES: u32 = 5;
const LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// What a `response_url` stands for.
pub(super) struct Later {
    pub(super) channel: ChannelId,
    /// Who acted, and sees what is ephemeral.
    pub(super) user: UserId,
    /// The message whose button was pressed.
    pub(super) source: Option<Ts>,
    pub(super) at: Timestamp,
    pub(super) uses: u32,
}

impl State {
    /// A fresh `response_url` for what this person just did.
    pub(super) fn response_url(
        &mut self,
        kind: &str,
        user: &str,
        channel: &str,
        source: Option<&str>,
    ) -> String {
        let number = self.ids.next("response_url", 397_700_885_554);
        let path = format!("/{kind}/{}/{number}/{}", self.home, self.ids.hex(24));
        let later = Later {
            channel: channel.to_owned(),
            user: user.to_owned(),
            source: source.map(str::to_owned),
            at: self.time(),
            uses: 0,
        };
        let url = format!("{}{path}", self.url);
        self.response_urls.insert(path, later);
        url
    }

    /// What the app posts to a `response_url`; `None` when no such address was given out. No membership and no
    /// scope is needed.
    pub(super) fn answer_later(&mut self, path: &str, body: &str) -> Option<Result<(), (u16, Error)>> {
        let now = self.time();
        let later = self.response_urls.get_mut(path)?;
        if now.duration_since(later.at) > LIFETIME {
            return Some(Err((404, Error::new("expired_url"))));
        }
        if later.uses >= MOST_USES {
            return Some(Err((404, Error::new("used_url"))));
        }
        later.uses += 1;
        let (channel, user, source) = (later.channel.clone(), later.user.clone(), later.source.clone());
        let Some(args) = Args::of_json(body) else { return Some(Err((400, Error::new("invalid_payload")))) };
        let place = Place { channel, thread_ts: None, only_for: Some(user) };
        Some(self.speak_later(&args, place, source.as_deref()).map_err(|error| (400, error)))
    }

    fn speak_later(&mut self, args: &Args, mut place: Place, source: Option<&str>) -> Result<(), Error> {
        let seen_by = place.only_for.clone();
        let source = source.and_then(|ts| self.message_at(&place.channel, ts, seen_by.as_deref()));
        if args.is_true("delete_original") {
            if args.len() > 1 {
                return Err(Error::new("invalid_payload"));
            }
            let at = source.ok_or_else(|| Error::new("message_not_found"))?;
            self.messages.remove(at);
            return Ok(());
        }
        let content = Content::read(args, Auto::Nothing)?;
        if args.is_true("replace_original")
            && let Some(at) = source
        {
            self.edit(at, content);
            return Ok(());
        }
        if args.text("response_type") == Some("in_channel") {
            place.only_for = None;
        }
        place.thread_ts = self.thread(&place.channel, args.text("thread_ts"))?;
        let bot = self.app.bot_user.clone();
        self.post(place, &bot, content);
        Ok(())
    }
}
