//! `POST /hooks/{name}`: raw bytes in, verified and stored, and only then answered.

use super::error::Refused;
use super::health::Arrival;
use super::seats::Guest;
use super::source::Source;
use super::strangers::Visit;
use super::{BodyLimits, PIECE, Web};
use crate::app::intake::{Arrived, Read};
use crate::ports::inbound::{Manner, RawDelivery, Rejected};
use crate::ports::store::Accepted;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What became of a delivery that wasn't refused.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    /// It is on disk, now or already before.
    Stored,
    /// Verified, but none of our business.
    Ignored { why: &'static str },
    /// A chat's delivery: whatever became of it, this body.
    #[serde(skip)]
    Chat(String),
}

impl Answer {
    fn to(manner: Manner, otherwise: Self) -> Self {
        match manner {
            Manner::Forge => otherwise,
            Manner::Chat(body) => Self::Chat(body.to_owned()),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Stored => (StatusCode::ACCEPTED, Json(self)).into_response(),
            Self::Ignored { .. } => (StatusCode::OK, Json(self)).into_response(),
            Self::Chat(body) if body.is_empty() => StatusCode::OK.into_response(),
            Self::Chat(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        }
    }
}

pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let visit = web.strangers.enter(web.source(&request), web.app.clock.now());
    let Ok(Path(name)) = name else { return Err(Refused::NoSuchHook) };
    if !web.sources.contains_key(&name) {
        return Err(Refused::NoSuchHook);
    }
    let (answer, arrival) = match web.take(&name, request, visit).await {
        Ok((answer, arrival)) => (Ok(answer.into_response()), arrival),
        Err(refused) => {
            let arrival = Arrival::from(&refused);
            // A flood must not fill the log.
            if arrival != Arrival::Limited {
                tracing::info!(source = name, ?arrival, why = %refused, "a delivery was refused");
            }
            (Err(refused), arrival)
        }
    };
    let heard = arrival.is_heard().then(|| web.app.clock.now());
    web.app.figures.arrived(&name, arrival.label(), heard);
    answer
}

impl Web {
    /// What is said in a header counts where our own proxy says it: on a connection from inside.
    fn source(&self, request: &Request) -> Option<Source> {
        let peer = request.extensions().get().map(Guest::source)?;
        let told = self.client_address.as_deref().filter(|_| peer.is_inside());
        Some(told.and_then(|name| Source::told(request.headers(), name)).unwrap_or(peer))
    }

    async fn take(
        &self,
        name: &str,
        request: Request,
        visit: Visit<'_>,
    ) -> Result<(Answer, Arrival), Refused> {
        let inbound = self.sources.get(name).ok_or(Refused::NoSuchHook)?;
        let (Parts { headers, extensions, .. }, body) = request.into_parts();
        let announced = announced(&headers);
        visit.may_send(announced).await?;
        let largest = self.limits.largest.min(inbound.largest());
        let limits = BodyLimits { largest, ..self.limits };
        let Whole { bytes, room } = self.collect(announced.unwrap_or_default(), body, limits).await?;
        let _served = extensions.get().map(Guest::served);
        let read =
            self.app.read(name, inbound.as_ref(), RawDelivery { headers: &raw(&headers), body: &bytes });
        if is_proof(&read) {
            visit.proved();
        }
        // Many may wait for the disk: none of them keeps what was read. The room stays taken: what was made of a large
        // body may be large.
        drop((headers, bytes));
        let _room = room;
        match read.map_err(Refused::Delivery)? {
            Read::Ours(arrived) => {
                let arrival = self.store(name, arrived).await?;
                Ok((Answer::to(inbound.manner(), Answer::Stored), arrival))
            }
            Read::NotOurs(why) => {
                Ok((Answer::to(inbound.manner(), Answer::Ignored { why }), Arrival::Ignored))
            }
            Read::Told(body) => Ok((Answer::Chat(body), Arrival::Ignored)),
        }
    }

    async fn store(&self, name: &str, arrived: Arrived) -> Result<Arrival, Refused> {
        let accepted = self.app.keep(arrived).await.map_err(|error| {
            tracing::error!(source = name, %error, "a delivery can't be stored");
            Refused::NotStored
        })?;
        self.wake.notify_one();
        Ok(match accepted {
            Accepted::Stored => Arrival::Stored,
            Accepted::Duplicate => Arrival::Duplicate,
        })
    }

    /// The whole body, within its limits of size and time.
    async fn collect(&self, announced: usize, body: Body, limits: BodyLimits) -> Result<Whole<'_>, Refused> {
        if announced > limits.largest {
            return Err(Refused::TooLarge(limits.largest));
        }
        let reading = collect(body, announced, limits, &self.room);
        let time = limits.time;
        tokio::time::timeout(time, reading).await.unwrap_or(Err(Refused::TooSlow(time.as_secs())))
    }
}

/// Whether it was verified, whatever became of it. What is answered by a body of its own may be an unsigned probe.
fn is_proof(read: &Result<Read, Rejected>) -> bool {
    match read {
        Ok(Read::Ours(_) | Read::NotOurs(_)) | Err(Rejected::Unreadable(_)) => true,
        Ok(Read::Told(_)) | Err(Rejected::Unauthenticated(_)) => false,
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Headers as they came: names in lower case, in order, duplicates kept.
fn raw(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// A whole body, and the room that it takes while it is there.
struct Whole<'a> {
    bytes: Bytes,
    room: Option<SemaphorePermit<'a>>,
}

/// Counts what really comes, whatever was announced. What is large takes room, piece by piece, so that senders who have
/// proved nothing yet can neither fill the memory nor keep others out with what they only announce. What comes in one
/// frame isn't copied.
async fn collect(
    mut body: Body,
    announced: usize,
    limits: BodyLimits,
    room: &Semaphore,
) -> Result<Whole<'_>, Refused> {
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut held = None;
    while let Some(frame) =
        std::future::poll_fn(|context| axum::body::HttpBody::poll_frame(Pin::new(&mut body), context)).await
    {
        let Ok(data) = frame.map_err(|_| Refused::BrokenOff)?.into_data() else { continue };
        let length = first.len() + whole.len() + data.len();
        if length > limits.largest {
            return Err(Refused::TooLarge(limits.largest));
        }
        make_room(&mut held, length.saturating_sub(limits.small).div_ceil(PIECE), room).await?;
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            // What was only announced is believed as far as it costs little.
            whole.reserve(length.max(announced.min(limits.small)));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(Whole { bytes: if whole.is_empty() { first } else { Bytes::from(whole) }, room: held })
}

/// So many pieces in all. Only the first is waited for: who holds some and waits for more could wait for others who do
/// the same.
async fn make_room<'a>(
    held: &mut Option<SemaphorePermit<'a>>,
    pieces: usize,
    room: &'a Semaphore,
) -> Result<(), Refused> {
    while held.as_ref().map_or(0, SemaphorePermit::num_permits) < pieces {
        match held {
            None => *held = Some(room.acquire().await.map_err(|_| Refused::NotStored)?),
            Some(held) => held.merge(room.try_acquire().map_err(|_| Refused::NotStored)?),
        }
    }
    Ok(())
}

impl From<&Refused> for Arrival {
    fn from(refused: &Refused) -> Self {
        match refused {
            Refused::Delivery(Rejected::Unauthenticated(_)) => Self::Unauthenticated,
            Refused::Delivery(Rejected::Unreadable(_)) | Refused::BrokenOff => Self::Unreadable,
            Refused::TooLarge(_) => Self::TooLarge,
            Refused::TooSlow(_) => Self::TooSlow,
            Refused::TooMany(_) => Self::Limited,
            Refused::NotStored
            | Refused::StoreFailed
            | Refused::NoWorker
            | Refused::NoSuchPath
            | Refused::NoSuchHook
            | Refused::Method => Self::NotStored,
        }
    }
}
