//! What keeps two transactions apart that touch the same thing: advisory locks that end with the transaction
//! (session locks wouldn't survive PgBouncer in transaction mode).
//!
//! A transaction takes all of its locks at once, before it reads anything that it will rely on, and everybody takes
//! them in the order of their numbers: so nobody waits for somebody who waits for them.

use super::dialect::{Connection, query, query_as};
use super::fault::fault;
use crate::domain::chat::{Channel, Link, Notify, Subject};
use crate::domain::id::{DeploymentId, ForgeName, ProjectId};
use crate::domain::ledger::Entry;
use crate::ports::store::{Commit, Finish, Lane, Lease, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const TAKE: &str = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";
/// The job that ends, and those whose mark may stand in for a new job: none of them is leased or given back
/// until the transaction ends.
const HOLD_JOBS: &str = "SELECT id FROM job WHERE id = $1 OR (dedupe = ANY($2) AND NOT dead) \
    ORDER BY id FOR UPDATE";
const TURN_OF: &str = "SELECT lane, key FROM job WHERE id = $1";

/// Numbers of the things to be locked. Two things with one number wait for each other without need.
#[derive(Default)]
pub(super) struct Locks(BTreeSet<i64>);

impl Locks {
    fn add(&mut self, kind: &str, name: &str) {
        let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
        self.0.extend(digest.first_chunk().copied().map(i64::from_be_bytes));
    }

    /// The jobs of a lane and key: who of them is the head.
    pub(super) fn turn(&mut self, lane: i64, key: &str) {
        self.add("turn", &format!("{lane} {key}"));
    }

    /// The chain of a deployment.
    fn deployment(&mut self, id: &DeploymentId) {
        self.add("deployment", id.as_str());
    }

    /// The numbers that we give in a project.
    pub(super) fn numbers(&mut self, forge: &ForgeName, project: ProjectId) {
        self.add("numbers", &format!("{forge}/{}", project.0));
    }

    /// A message in a channel.
    fn posting(&mut self, channel: &Channel, subject: &Subject) {
        self.add("posting", &format!("{channel}/{subject}"));
    }

    /// The messages that an entry makes room for.
    fn opened(&mut self, entry: &Entry) {
        if let Entry::Opened { description, .. } = entry
            && let Some(Notify { subject, channels }) = &description.notify
        {
            for channel in channels {
                self.posting(channel, subject);
            }
        }
    }

    /// The links of a chat account on a forge.
    pub(super) fn link(&mut self, link: &Link) {
        self.add("link", &format!("{}/{}/{}", link.chat, link.forge, link.name));
    }

    /// The schema.
    pub(super) fn schema(&mut self) {
        self.add("schema", "");
    }

    pub(super) async fn take(self, connection: &mut Connection) -> Result<(), StoreError> {
        let numbers: Vec<i64> = self.0.into_iter().collect();
        query(TAKE).bind(numbers).execute(connection).await.map_err(fault)?;
        Ok(())
    }
}

/// Locks all that a commit reads or writes.
pub(super) async fn hold(connection: &mut Connection, commit: &Commit) -> Result<(), StoreError> {
    let mut locks = Locks::default();
    let finished = commit.finish.as_ref().map(|finish| lease_of(finish).job);
    let turn = query_as::<(i64, String)>(TURN_OF).bind(finished).fetch_optional(&mut *connection);
    if let Some((lane, key)) = turn.await.map_err(fault)? {
        locks.turn(lane, &key);
    }
    commit.jobs.iter().for_each(|job| locks.turn(job.lane.priority(), &job.key));
    commit.unless_waiting.iter().for_each(|key| locks.turn(Lane::Decide.priority(), key));
    commit.changes.iter().for_each(|change| locks.deployment(&change.deployment));
    commit.commands.iter().for_each(|command| locks.add("command", &command.source));
    commit.rooms.iter().for_each(|(conversation, _)| locks.add("room", &conversation.key()));
    commit.changes.iter().flat_map(|change| &change.entries).for_each(|entry| locks.opened(entry));
    commit.postings.iter().for_each(|(channel, subject, _)| locks.posting(channel, subject));
    let marks: Vec<String> = commit.jobs.iter().filter_map(|job| job.dedupe.clone()).collect();
    for mark in &marks {
        locks.add("mark", mark);
    }
    locks.take(connection).await?;
    query(HOLD_JOBS).bind(finished).bind(marks).execute(connection).await.map_err(fault)?;
    Ok(())
}

/// Locks the turn of one job.
pub(super) async fn hold_turn(connection: &mut Connection, job: i64) -> Result<(), StoreError> {
    let mut locks = Locks::default();
    let turn = query_as::<(i64, String)>(TURN_OF).bind(job).fetch_optional(&mut *connection);
    if let Some((lane, key)) = turn.await.map_err(fault)? {
        locks.turn(lane, &key);
    }
    locks.take(connection).await
}

fn lease_of(finish: &Finish) -> &Lease {
    match finish {
        Finish::Done(lease) | Finish::Dead(lease, _) | Finish::Again(lease, _) => lease,
    }
}

#[cfg(test)]
mod tests {
    use super::Locks;

    #[test]
    fn things_of_different_kinds_have_different_numbers() {
        let mut locks = Locks::default();
        locks.turn(1, "gitlab/42/mr/7");
        locks.turn(2, "gitlab/42/mr/7");
        locks.add("room", "gitlab/42/mr/7");
        locks.add("room", "gitlab/42/mr/7");
        locks.schema();
        assert_eq!(locks.0.len(), 4);
    }
}
