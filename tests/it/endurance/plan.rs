//! What a run is made from: its plan, what its people deploy to, what befalls it, and the configurations.

use super::board::{Hazards, Point};
use super::chance::Chance;
use super::chat::Chat;
use super::cluster;
use super::database::{Can, Database};
use crate::story::stage::Stage;
use std::net::SocketAddr;
use std::path::Path;

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: what others are compared with.
    Quiet,
    /// Instances are killed.
    Crash,
    /// Everything around them fails.
    Fault,
}

/// A run, to be repeated from it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) kind: Kind,
    /// The cluster's address; a SQLite file without.
    pub(super) cluster: Option<String>,
    /// A cluster of the run's own instead, which is stopped or killed when the database is to fail.
    pub(super) own_cluster: bool,
    pub(super) instances: usize,
    /// The real program in real time, or servers inside this process with a clock moved by hand.
    pub(super) real: bool,
}

const ENVIRONMENTS: &str = r#"
[[environment]]
on = "{forge}"
project = "acme/**"
name = "**"
required_approval_count = 2
deploy_access_levels = [{ {maintainers} }]
"#;

const BY_HAND: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "review"
gate = "manual_job"
required_approval_count = 2
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

/// From one to all of them, in any order.
pub(super) fn environments(forge: &str, seed: u64) -> Vec<&'static str> {
    let mut all = vec!["production", "staging", "production/eu", "production/us"];
    if forge == "gitlab" {
        all.push("review");
    }
    let mut chance = Chance::new(seed ^ 0x5eed);
    let mut chosen = Vec::new();
    let count = 2 + chance.below(all.len() as u64 - 1);
    for _ in 0..count {
        let at = usize::try_from(chance.below(all.len() as u64)).unwrap();
        chosen.push(all.swap_remove(at));
    }
    chosen
}

/// How much befalls a run of this kind.
pub(super) fn hazards(kind: Kind, quick: bool, in_chat: bool, chance: &mut Chance) -> Hazards {
    let none = Hazards { in_chat, ..Hazards::default() };
    match kind {
        Kind::Quiet => none,
        Kind::Crash => {
            // The job has ended before anybody hears that it was started.
            let named = (quick && chance.percent(60)).then_some(Point::Step { path: "/play", acted: true });
            Hazards { kills: 1 + chance.below(5), named, ..none }
        }
        Kind::Fault => Hazards { unwell: 2 + chance.below(20), ..none },
    }
}

pub(super) async fn database(plan: &Plan, folder: &Path) -> Database {
    match &plan.cluster {
        Some(_) if plan.own_cluster => {
            let programs =
                cluster::programs().expect("where PostgreSQL's programs are, as tests/postgres tells");
            Database::of_own_cluster(programs).await
        }
        Some(cluster) => Database::of_cluster(cluster).await,
        None if plan.kind != Kind::Fault => Database::file(folder, Can::Nothing),
        None if plan.seed.is_multiple_of(2) => Database::file(folder, Can::Fill),
        None => Database::file(folder, Can::Freeze),
    }
}

/// One for each instance.
pub(super) fn configs<S: Stage>(
    stage: &S,
    chat: Option<&Chat>,
    database: &Database,
    (plan, address): (&Plan, SocketAddr),
) -> Vec<String> {
    let chat = chat.map(|chat| chat.stage.as_ref());
    let tables = chat.map(|chat| chat.tables(S::FORGE, address)).unwrap_or_default();
    let notify = chat.map(|chat| format!("notify = [\"{}\"]\n", chat.channel())).unwrap_or_default();
    let by_hand = if S::FORGE == "gitlab" { format!("{BY_HAND}{notify}") } else { String::new() };
    let environments = S::fill(ENVIRONMENTS) + &notify;
    let one = |index: usize| {
        let first = index == 0;
        let forge = if first { stage.table() } else { stage.another_table() };
        let forge = if plan.real { forge.replace("poll = \"60s\"", "poll = \"1s\"") } else { forge };
        let chat = match chat {
            Some(chat) if !first => chat.tables_of_another(&tables),
            Some(_) | None => tables.clone(),
        };
        let url = database.url();
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://{address}\"\n\
             [store]\nurl = \"{url}\"\n{forge}{chat}{by_hand}{environments}"
        )
    };
    (0..plan.instances).map(one).collect()
}
