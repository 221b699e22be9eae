//! What happens, in order.

use super::teller::{Ended, Teller, Told};
use super::{github, gitlab, slack};
use crate::cli::demo::ledger::{self, Chain};
use crate::cli::demo::world::{BOT, Forge};

/// The whole story.
pub(super) async fn play(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "# Countersign, told in one page",
        "A simulated GitLab, GitHub and Slack on local ports, the true server and worker against them. Every line \
         below was checked against what these show.",
    )?;
    t.print(
        "Production needs two approvals from members of `acme/sre`: alice and bob. mallory is no member.",
    )?;
    gitlab::play(t).await?;
    github::play(t).await?;
    slack::play(t).await?;
    the_ledger(t).await
}

async fn the_ledger(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 11. The ledger",
        "Who decided what, when, in a chain of hashes that shows every later change.",
    )?;
    let store = t.built.app.store.clone();
    for forge in Forge::ALL {
        let chains = ledger::read(store.as_ref(), forge, t.world.project(forge)).await?;
        for chain in chains.iter().rev() {
            tell_chain(t, chain)?;
        }
    }
    let depth = t.built.app.store.depth(t.now()).await?;
    let quiet = depth.due == 0 && depth.dead == 0 && t.world.waiting_hooks() == 0;
    t.print("")?;
    t.told("Nothing is left to do, and nothing was given up.", quiet, depth)
}

fn tell_chain(t: &mut Teller<'_>, chain: &Chain) -> Told {
    let Chain { forge, environment, number, status, sound, .. } = chain;
    let heading = format!("{}: {environment} {number} is {status}; every hash fits.", forge.name());
    let final_status = matches!(*status, "deployed" | "rejected" | "bypassed");
    t.told(&heading, *sound && final_status, chain)?;
    for entry in &chain.entries {
        t.print(&format!("  - {} {}", entry.at, entry.sentence))?;
    }
    Ok(())
}

/// The card, which says this.
pub(super) fn card(t: &mut Teller<'_>, words: &str, what: &str) -> Result<String, Ended> {
    match t.bot_said(words) {
        Some(card) => Ok(card),
        None => match t.told(&format!("{BOT} {what}: “{words}”."), false, t.said_there()) {
            Err(ended) => Err(ended),
            Ok(()) => Ok(String::new()),
        },
    }
}
