//! Intake: verified bytes become a stored delivery with its jobs. It decides nothing.

use super::App;
use crate::domain::chat::{Act, ChatUser, Chatted};
use crate::domain::event::Event;
use crate::ports::chat::Form;
use crate::ports::inbound::{Inbound, RawDelivery, Received, Rejected, Verified};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Whoever waits for a chat's answer gets it within 3 s: a form that isn't open by then, counted from the delivery's
/// arrival, is told to be tried again.
const TO_OPEN: Duration = Duration::from_millis(2_400);
/// See [`TO_OPEN`].
const TO_ANSWER: Duration = Duration::from_millis(2_800);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, now or already before.
    Stored(Accepted),
    /// Verified, but none of our business.
    NotOurs(&'static str),
    /// Verified, and answered by this body.
    Told(String),
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Not verified, or not readable.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store can't write now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Verifies, normalises and stores; returns after it is durable. A form that it asks for is opened then, once.
    ///
    /// The body is let go once it is read: many may wait for the disk.
    pub async fn take(
        &self,
        source: &str,
        inbound: &dyn Inbound,
        (headers, body): (&[(&str, &[u8])], impl AsRef<[u8]>),
    ) -> Result<Taken, NotTaken> {
        let (now, came) = (self.clock.now(), Instant::now());
        let verified = match inbound.receive(RawDelivery { headers, body: body.as_ref() }, now)? {
            Received::Ours(verified) => verified,
            Received::NotOurs(why) => return Ok(Taken::NotOurs(why)),
            Received::Told(body) => return Ok(Taken::Told(body)),
        };
        let Verified { id, events, form } = verified;
        let digest = hex::encode(Sha256::digest(body.as_ref()));
        drop(body);
        let delivery =
            NewDelivery { source: source.to_owned(), id: id.clone(), digest, events, received_at: now };
        let accepted = self.store.accept(delivery).await?;
        tracing::debug!(source, delivery = id, ?accepted, "a delivery is on disk");
        if let (Some(form), Accepted::Stored) = (form, accepted)
            && !self.is_opened(&form, TO_OPEN.saturating_sub(came.elapsed())).await
        {
            let told = self.store.accept(unopened(source, &id, &form, now));
            if !matches!(timeout(TO_ANSWER.saturating_sub(came.elapsed()), told).await, Ok(Ok(_))) {
                tracing::error!(source, "that a form was not opened can't be told");
            }
        }
        Ok(Taken::Stored(accepted))
    }

    async fn is_opened(&self, form: &Form, within: Duration) -> bool {
        let Some(desk) = self.chats.get(&form.aside.chat) else { return false };
        match timeout(within, desk.chat.open_form(form)).await {
            Ok(Ok(())) => true,
            Ok(Err(failure)) => {
                tracing::warn!(chat = %form.aside.chat, %failure, "a form can't be opened");
                false
            }
            Err(_) => {
                tracing::warn!(chat = %form.aside.chat, "opening a form took too long");
                false
            }
        }
    }
}

/// Tells the worker to say that a form was not opened.
fn unopened(source: &str, id: &str, form: &Form, now: Timestamp) -> NewDelivery {
    let id = format!("{id}:unopened");
    let Form { aside, offer, word, .. } = form.clone();
    let by = ChatUser { id: aside.user.clone(), team: None };
    let chatted = Chatted { id: id.clone(), by, aside, at: now, act: Act::Unopened { offer, word } };
    let events = vec![Event::Chatted(Box::new(chatted))];
    NewDelivery { source: source.to_owned(), digest: String::new(), id, events, received_at: now }
}
