//! The end of a history: a quiet while, in which everything must come right.

use super::{PERIODIC, POLL, Run};
use crate::model::world::{Deployed, Job, ME, Written};
use countersign::domain::deployment::Status;
use countersign::domain::event::Event;
use countersign::ports::store::Store;
use std::collections::BTreeSet;

impl Run {
    /// Nothing goes wrong any more, late hooks arrive, and time passes until only polls are left.
    pub(super) fn calm_down(&mut self) {
        {
            let mut stage = self.scene.lock();
            stage.book.note("all is calm");
            stage.mishaps.clear();
            (stage.store_fails.0, stage.crash) = (0, None);
        }
        self.late_hooks();
        self.work(1);
        let begun = self.clock.time();
        let least = begun + POLL * 2;
        for _ in 0..200 {
            let now = self.clock.time();
            let store = &self.life.as_ref().expect("somebody lives").app.store.clone();
            let (depth, due) = self
                .live(async |_| (store.depth(now).await.unwrap(), store.next_due(now).await.unwrap()))
                .expect("nobody dies any more");
            if now >= least && depth.due == 0 && depth.later <= PERIODIC {
                return;
            }
            self.clock.advance(due.map_or(POLL, |due| due.duration_since(now)));
            self.work(1);
        }
        self.wrong(format!("§2.8: the queue is never done: {}", self.clock.time()));
    }

    pub(super) fn end_is_right(&mut self) {
        let store = self.life.as_ref().expect("somebody lives").store.inner.clone();
        let here = self.scene.lock();
        let (deployments, comments) = (here.world.deployments.clone(), here.world.comments.clone());
        drop(here);
        for one in &deployments {
            self.deployment_is_right(one);
            self.scene.lock().book.newest_words_stand(&one.id());
        }
        let theirs = comments.iter().filter(|one| one.by != ME);
        for said in theirs {
            let key = said.at().key();
            let taken = self.live(async |_| store.is_taken(&key).await.unwrap()).expect("nobody dies");
            self.comment_is_right(said, &comments, taken);
        }
        for request in deployments.iter().map(|one| one.request).collect::<BTreeSet<_>>() {
            let marker = "<!-- countersign:card -->";
            let is_card =
                |one: &&Written| one.request == request && one.text.ends_with(marker) && !one.deleted;
            let cards = comments.iter().filter(|one| one.by == ME).filter(is_card).count();
            // Where changing a card is refused, a new one tells more than one that is out of date.
            let refused = self.scene.lock().book.refused.get("talk").copied().unwrap_or_default();
            if cards > 1 + refused {
                self.wrong(format!("§2.8: there are {cards} cards on {request}"));
            }
        }
        let dead = self.live(async |_| store.jobs(true, 0, 100).await.unwrap()).expect("nobody dies");
        if !dead.is_empty() && self.scene.lock().book.refused.is_empty() {
            self.wrong(format!("§7.6: dead letters: {dead:?}"));
        }
    }

    /// Rule 4, and that ledger and forge tell the same.
    fn deployment_is_right(&self, one: &Deployed) {
        let stage = self.scene.lock();
        let Some(chain) = stage.book.chains.get(&one.id()).cloned() else { return };
        if one.gone {
            return;
        }
        let fits: &[Status] = match one.job {
            Job::Manual => &[Status::Blocked, Status::Approved],
            Job::Running => &[Status::Released, Status::Bypassed],
            Job::Success => &[Status::Deployed],
            Job::Failed => &[Status::Failed, Status::Rejected],
            Job::Cancelled => &[Status::Cancelled, Status::Rejected],
        };
        let waits = one.job == Job::Manual && chain.status == Status::Blocked && !chain.superseded;
        let due = waits && stage.world.law.approves(&stage.world, one, &chain.words());
        drop(stage);
        if !fits.contains(&chain.status) {
            self.wrong(format!(
                "§7: {} is {:?} on the forge and {:?} with us",
                one.number, one.job, chain.status
            ));
        }
        if due {
            self.wrong(format!("§2.4: {} has its approvals and waits: {:?}", one.number, chain.words()));
        }
    }

    /// Rules 8 and 9: what was taken is answered, once; what was stored is taken.
    fn comment_is_right(&self, said: &Written, comments: &[Written], taken: bool) {
        let stage = self.scene.lock();
        let (named, bot) = {
            let who = stage.world.human(said.by);
            (stage.world.law.names(who), who.bot)
        };
        let told =
            |event: &Event| matches!(event, Event::Commented { comment, .. } if comment.comment == said.id);
        let heard = stage.book.stored.values().flat_map(|delivery| &delivery.events).any(told);
        let lied = stage.book.lied.contains(&said.id);
        let dropped = stage.book.refused.contains_key("talk");
        drop(stage);
        let marker = format!("<!-- countersign:{}-", said.id);
        let answers =
            comments.iter().filter(|one| one.by == ME && !one.deleted && one.text.contains(&marker)).count();
        let silent = said.lines.is_empty() || bot;
        let what = format!("{} ({}) by {} has {answers} answers", said.id, said.text, said.by);
        if answers > 1 || silent && answers > 0 {
            self.wrong(format!("§2.8: {what}"));
        }
        let untouched = !said.edited && !said.deleted && !lied;
        if heard && !taken && untouched && !said.lines.is_empty() {
            self.wrong(format!("§2.8: nobody dealt with {what}"));
        }
        if taken && untouched && !silent && named && answers == 0 && !dropped {
            self.wrong(format!("§2.9: {what}"));
        }
    }
}
