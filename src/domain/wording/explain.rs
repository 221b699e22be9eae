//! `why`: the verdict's tree in words, rule by rule.

use super::{Block, Line, Prose, grantees};
use crate::domain::deployment::Description;
use crate::domain::verdict::{Explanation, Mark, Statement, Verdict, WhyNot};

/// The whole verdict.
pub fn why(deployment: &Description, verdict: &Verdict) -> Prose {
    let head = Line::default().subject(deployment).text(": ").then(statement(&verdict.because.statement));
    let mut blocks = vec![Block::Paragraph(head)];
    for child in &verdict.because.children {
        add(&mut blocks, 0, child);
    }
    Prose(blocks)
}

/// The first thing that keeps a verdict with filled rules from being approved, if there is one.
pub fn obstacle(verdict: &Verdict) -> Option<Line> {
    let children = &verdict.because.children;
    children
        .iter()
        .find(|child| match child.statement {
            Statement::NoRules
            | Statement::NoHumanCreator
            | Statement::CreatorsUnknown(_)
            | Statement::RejectionUnchecked(_) => true,
            Statement::AllRulesFilled
            | Statement::ApprovalsMissing(_)
            | Statement::RejectedBy(_)
            | Statement::Rule { .. }
            | Statement::Fills(_)
            | Statement::DoesNotCount(..) => false,
        })
        .map(|child| statement(&child.statement))
}

fn add(blocks: &mut Vec<Block>, depth: u8, node: &Explanation) {
    let line = Line::of(format!("{} ", sign(node.mark))).then(statement(&node.statement));
    blocks.push(Block::Item(depth, line));
    for child in &node.children {
        add(blocks, depth.saturating_add(1), child);
    }
}

fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Fulfilled => "✅",
        Mark::Pending => "⏳",
        Mark::Against => "⛔",
        Mark::Unknown => "❓",
        Mark::Ignored => "➖",
    }
}

fn statement(statement: &Statement) -> Line {
    match statement {
        Statement::AllRulesFilled => Line::of("every rule is filled."),
        Statement::ApprovalsMissing(0) => {
            Line::of("its rules are filled, but something else keeps it blocked.")
        }
        Statement::ApprovalsMissing(missing) => Line::of(format!("{} missing.", super::approvals(*missing))),
        Statement::RejectedBy(account) => {
            Line::of("").person(account).text(" rejected it, and one rejection is final.")
        }
        Statement::NoRules => Line::of("there is no rule that could approve it."),
        Statement::NoHumanCreator => Line::of("no person started it, and no author or merger of a ")
            .request()
            .text(" stands in. Set allow_bot_creator for this environment if that is meant."),
        Statement::CreatorsUnknown(why) => Line::of("who started it could not be read (")
            .foreign(why)
            .text("), so nobody can be told apart from its creator."),
        Statement::RejectionUnchecked(account) => Line::of("whether the rejection by ")
            .person(account)
            .text(" counts could not be checked, and until it is nothing is released."),
        Statement::Rule { grantees: admitted, filled, required, .. } => {
            grantees(Line::of(format!("{filled} of {required} from ")), admitted).text(".")
        }
        Statement::Fills(account) => Line::default().person(account).text(" approved."),
        Statement::DoesNotCount(account, why) => {
            Line::default().person(account).text(": ").then(why_not(why))
        }
    }
}

fn why_not(why: &WhyNot) -> Line {
    match why {
        WhyNot::Creator => Line::of("started it, so this approval doesn't count."),
        WhyNot::Bot => Line::of("is a bot, and bots don't vote."),
        WhyNot::Inactive => Line::of("has an account that is not active."),
        WhyNot::NotNamed => Line::of("is not named by the policy."),
        WhyNot::NotNeeded => Line::of("approved too; the rules that admit them are filled by others."),
        WhyNot::Revoked => Line::of("took the approval back."),
        WhyNot::Unknown(why) => {
            Line::of("could not be checked (").foreign(why).text("), so it doesn't count.")
        }
    }
}
