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

/// What a request comes to.
pub enum Read {
    /// It is to be stored.
    Ours(Arrived),
    /// Verified, but none of our business.
    NotOurs(&'static str),
    /// Answered by this body.
    Told(String),
}

/// A delivery that was read: nothing of the request is needed any more.
pub struct Arrived {
    delivery: NewDelivery,
    form: Option<Box<Form>>,
    came: Instant,
}

impl App {
    /// Verifies and normalises.
    pub fn read(&self, source: &str, inbound: &dyn Inbound, raw: RawDelivery<'_>) -> Result<Read, Rejected> {
        let (received_at, came) = (self.clock.now(), Instant::now());
        Ok(match inbound.receive(raw, received_at)? {
            Received::Ours(Verified { id, events, form }) => {
                let (source, digest) = (source.to_owned(), hex::encode(Sha256::digest(raw.body)));
                let delivery = NewDelivery { source, id, digest, events, received_at };
                Read::Ours(Arrived { delivery, form, came })
            }
            Received::NotOurs(why) => Read::NotOurs(why),
            Received::Told(body) => Read::Told(body),
        })
    }

    /// Stores; returns after it is durable. A form that it asks for is opened then, once.
    pub async fn keep(&self, arrived: Arrived) -> Result<Accepted, StoreError> {
        let Arrived { delivery, form, came } = arrived;
        let (source, id, now) = (delivery.source.clone(), delivery.id.clone(), delivery.received_at);
        let accepted = self.store.accept(delivery).await?;
        tracing::debug!(source, delivery = id, ?accepted, "a delivery is on disk");
        if let (Some(form), Accepted::Stored) = (form, accepted)
            && !self.is_opened(&form, TO_OPEN.saturating_sub(came.elapsed())).await
        {
            let told = self.store.accept(unopened(&source, &id, &form, now));
            if !matches!(timeout(TO_ANSWER.saturating_sub(came.elapsed()), told).await, Ok(Ok(_))) {
                tracing::error!(source, "that a form was not opened can't be told");
            }
        }
        Ok(accepted)
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
