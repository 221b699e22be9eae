//! The App's log of its deliveries. GitHub delivers once: what failed is delivered again only when asked for.

use super::GitHub;
use super::access::Caller;
use super::client::Change;
use super::payload::is_heard;
use super::wire::HookDelivery;
use crate::ports::failure::Failure;
use crate::ports::forge::{HookLog, MissedDelivery};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// Pages read of the failures.
const FAILURES: usize = 100;
/// Pages read of everything, to see what arrived in the end: as much as there is time for. What arrived unseen is
/// asked for once more, and known when it comes.
const ATTEMPTS: usize = 10;

#[async_trait]
impl HookLog for GitHub {
    async fn failed(&self, since: Timestamp) -> Result<Vec<MissedDelivery>, Failure> {
        self.look_around().await;
        let failures = self.deliveries(&[("status", "failure")], since, FAILURES).await?;
        let failures: Vec<HookDelivery> =
            failures.into_iter().filter(|delivery| matters(delivery) && !arrived(delivery)).collect();
        let Some(oldest) = failures.iter().map(|delivery| delivery.delivered_at).min() else {
            return Ok(Vec::new());
        };
        let attempts = self.deliveries(&[], oldest, ATTEMPTS).await?;
        Ok(missed(&failures, &attempts))
    }

    async fn redeliver(&self, delivery: &MissedDelivery) -> Result<(), Failure> {
        let path = ["app", "hook", "deliveries", &delivery.attempt.to_string(), "attempts"];
        self.client.write(Caller::App, &path, &Change::post(json!({}))).await.map(drop).map_err(Failure::from)
    }
}

impl GitHub {
    /// Notices where the App was installed, suspended or given less: this is asked for at every poll, and the delivery
    /// that tells of it may be lost.
    async fn look_around(&self) {
        if let Err(failure) = self.directory.bring_up_to_date().await {
            tracing::warn!(%failure, "the App's installations can't be read");
        }
    }

    /// The log, newest first, back to `since` or until `most` pages were read.
    async fn deliveries(
        &self,
        query: &[(&str, &str)],
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<HookDelivery>, Failure> {
        let path = ["app", "hook", "deliveries"];
        let mut pages = self.client.pages::<Vec<HookDelivery>>(Caller::App, &path, query, most)?;
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            let enough = page.iter().any(|delivery| delivery.delivered_at < since);
            found.extend(page.into_iter().filter(|delivery| delivery.delivered_at >= since));
            if enough {
                break;
            }
        }
        Ok(found)
    }
}

/// Whether we would do anything with it.
fn matters(delivery: &HookDelivery) -> bool {
    is_heard(delivery.event.as_deref().unwrap_or_default(), delivery.action.as_deref().unwrap_or_default())
}

fn arrived(delivery: &HookDelivery) -> bool {
    delivery.status.as_deref() == Some("OK")
        || delivery.status_code.is_some_and(|code| (200..300).contains(&code))
}

/// Deliveries of which no attempt arrived, oldest first, each by its newest attempt.
fn missed(failures: &[HookDelivery], attempts: &[HookDelivery]) -> Vec<MissedDelivery> {
    let arrived: HashSet<&str> =
        attempts.iter().filter(|delivery| arrived(delivery)).map(|delivery| delivery.guid.as_str()).collect();
    let mut missed: BTreeMap<&str, (Timestamp, i64)> = BTreeMap::new();
    for failure in failures.iter().filter(|failure| !arrived.contains(failure.guid.as_str())) {
        let (first, newest) = missed.entry(&failure.guid).or_insert((failure.delivered_at, failure.id));
        (*first, *newest) = ((*first).min(failure.delivered_at), (*newest).max(failure.id));
    }
    let mut missed: Vec<(Timestamp, MissedDelivery)> = missed
        .into_iter()
        .map(|(guid, (first, attempt))| (first, MissedDelivery { id: guid.to_owned(), attempt }))
        .collect();
    missed.sort_by_key(|(first, delivery)| (*first, delivery.attempt));
    missed.into_iter().map(|(_, delivery)| delivery).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: i64, guid: &str, minute: i64, code: i64) -> HookDelivery {
        let at = Timestamp::from_second(minute * 60).unwrap();
        let body = json!({ "id": id, "guid": guid, "delivered_at": at.to_string(), "event": "workflow_run",
            "action": "completed", "status": if code == 202 { "OK" } else { "failed to connect" }, "status_code": code });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn what_arrived_in_the_end_is_not_missed() {
        let log = [
            delivery(6, "b", 9, 202),
            delivery(5, "a", 8, 503),
            delivery(4, "c", 3, 0),
            delivery(3, "b", 2, 502),
            delivery(2, "a", 1, 0),
        ];
        let failures: Vec<HookDelivery> = log.iter().filter(|d| !arrived(d)).cloned().collect();
        let missed = missed(&failures, &log);
        let told: Vec<(&str, i64)> = missed.iter().map(|m| (m.id.as_str(), m.attempt)).collect();
        assert_eq!(told, [("a", 5), ("c", 4)]);
    }
}
