//! The rules, written down a second time and as plainly as can be: what the decisions are held against.

use super::world::{CREATOR_STANDS_IN, Deployed, Human, World};
use countersign::domain::glob::Glob;
use countersign::domain::id::ForgeName;
use countersign::domain::ledger::Word;
use countersign::domain::policy::{Entry, Gate, Grantee, Policies, Policy, Rule, VoteAs};

/// The name of the forge.
pub(super) const FORGE: &str = "gitlab";
/// The environments that are deployed to.
pub(super) const ENVIRONMENTS: [&str; 2] = ["production", "staging"];

/// What one environment asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) gate: Gate,
    /// The forge has a rule of its own beside the bot's: one maintainer, in its pages (gate `native`).
    pub(super) others: bool,
    pub(super) rules: Vec<Rule>,
    pub(super) allow_self_approval: bool,
    pub(super) start_when_approved: bool,
}

/// What both environments ask for.
#[derive(Clone, Debug)]
pub(super) struct Law {
    pub(super) production: Asked,
    pub(super) staging: Asked,
}

impl Law {
    pub(super) fn of(&self, environment: &str) -> &Asked {
        if environment == ENVIRONMENTS[0] { &self.production } else { &self.staging }
    }

    /// As the configuration would say it.
    pub(super) fn policies(&self) -> Policies {
        let entry = |name: &&str| {
            let asked = self.of(name);
            Entry {
                on: ForgeName::new(FORGE),
                project: Glob::new("acme/shop").unwrap(),
                name: Glob::new(name).unwrap(),
                gate: asked.gate,
                vote_as: VoteAs::Bot,
                policy: Policy {
                    rules: asked.rules.clone(),
                    allow_self_approval: asked.allow_self_approval,
                    allow_bot_creator: false,
                    reject_needs_reason: true,
                    start_when_approved: asked.start_when_approved,
                },
                notify: Vec::new(),
                mention: false,
            }
        };
        Policies::new(ENVIRONMENTS.iter().map(entry).collect())
    }

    fn admits(rule: &Rule, who: &Human) -> bool {
        rule.grantees.iter().any(|grantee| match grantee {
            Grantee::AccessLevel(level) => who.level >= *level,
            Grantee::Group { path, .. } => who.groups.contains(path.as_str()),
            Grantee::User(name) => who.name == name,
            Grantee::UserId(_) | Grantee::GroupId { .. } | Grantee::Team(_) | Grantee::Role(_) => {
                panic!("the model has no {grantee:?}")
            }
        })
    }

    /// A policy of the project names them.
    pub(super) fn names(&self, who: &Human) -> bool {
        self.production.rules.iter().chain(&self.staging.rules).any(|rule| Self::admits(rule, who))
    }

    /// Rules 1, 2 and 6: whose word counts on a deployment, as things are now.
    pub(super) fn counts(&self, on: &Deployed, who: &Human, word: Word) -> bool {
        let asked = self.of(on.environment);
        let named = asked.rules.iter().any(|rule| Self::admits(rule, who));
        let own = Self::is_creator(on, who) && !asked.allow_self_approval;
        !who.bot && who.active && named && !(word == Word::Approved && own)
    }

    /// Whoever started it; beside a bot, whoever opened the merge request.
    pub(super) fn is_creator(on: &Deployed, who: &Human) -> bool {
        on.by == who.id || on.by_bot && who.name == CREATOR_STANDS_IN
    }

    /// Rules 3 and 4, as things are now: nobody whose word counts rejects, and distinct people whose approvals count
    /// fill every slot. `words` are the newest ones, one for each person.
    pub(super) fn approves(&self, world: &World, on: &Deployed, words: &[(i64, Word)]) -> bool {
        let counting = |wanted: Word| {
            let said = words.iter().filter(move |(_, word)| *word == wanted);
            said.map(|(who, _)| world.human(*who)).filter(move |who| self.counts(on, who, wanted))
        };
        let slots: Vec<&Rule> = self
            .of(on.environment)
            .rules
            .iter()
            .flat_map(|rule| std::iter::repeat_n(rule, rule.required_approvals as usize))
            .collect();
        let people: Vec<&Human> = counting(Word::Approved).collect();
        counting(Word::Rejected).next().is_none() && can_fill(&slots, &people)
    }
}

/// Tries everybody for the first slot, and the others for the rest.
fn can_fill(slots: &[&Rule], people: &[&Human]) -> bool {
    let Some((first, rest)) = slots.split_first() else { return true };
    people.iter().enumerate().any(|(index, who)| {
        let mut others = people.to_vec();
        others.remove(index);
        Law::admits(first, who) && can_fill(rest, &others)
    })
}
