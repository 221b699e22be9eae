//! From raw to checked: who must approve what.

use super::check::Checker;
use super::forges::{Forge, Kind};
use super::grantees::people_named;
use super::platforms::Platforms;
use super::raw::{RawEnvironment, RawGrantee, RawRule};
use super::sheet::{Field, Items};
use crate::domain::glob::Glob;
use crate::domain::id::ForgeName;
use crate::domain::matching::MAX_RULES;
use crate::domain::policy::{Entry, Gate, Grantee, Policies, Policy, Rule, VoteAs};
use std::ops::Range;
use toml::Spanned;

/// The three keys that say who approves, and the kind of the forge where they do.
struct WhoApproves {
    kind: Option<Kind>,
    count: Field<i64>,
    levels: Field<Items<RawGrantee>>,
    rules: Field<Items<RawRule>>,
}

impl Checker<'_> {
    pub(super) fn policies(
        &mut self,
        field: Field<Items<RawEnvironment>>,
        platforms: &Platforms,
    ) -> Option<Policies> {
        let items = Self::plain(field, Vec::new())?;
        let mut entries: Vec<Option<Entry>> = Vec::new();
        for item in items {
            let entry = item.and_then(|item| self.environment(item, platforms, &entries));
            entries.push(entry);
        }
        let entries = entries.into_iter().collect::<Option<Vec<Entry>>>()?;
        self.warn_of_idle_forges(&entries, &platforms.forges);
        Some(Policies::new(entries))
    }

    fn environment(
        &mut self,
        raw: Spanned<RawEnvironment>,
        platforms: &Platforms,
        earlier: &[Option<Entry>],
    ) -> Option<Entry> {
        let at = raw.span();
        let raw = raw.into_inner();
        let on = self.required(raw.on, &at, "on").and_then(|on| self.forge(&on, &platforms.forges));
        let kind = on.map(|forge| forge.kind);
        let project = self.required(raw.project, &at, "project").and_then(|text| self.project(&text, kind));
        let name = self.required(raw.name, &at, "name").and_then(|text| self.glob(&text, kind));
        let gate = self.gate(raw.gate, kind);
        let vote_as = gate.and_then(|gate| kind?.vote_through(gate));
        let who = WhoApproves {
            kind,
            count: raw.required_approval_count,
            levels: raw.deploy_access_levels,
            rules: raw.approval_rules,
        };
        let rules = self.rules(who, vote_as, &at);
        let allow_self_approval = Self::plain(raw.allow_self_approval, false);
        let allow_bot_creator = Self::plain(raw.allow_bot_creator, false);
        let reject_needs_reason = Self::plain(raw.reject_needs_reason, true);
        let start_when_approved = self.start_when_approved(raw.start_when_approved, kind);
        let mention = self.mention(raw.mention, &raw.notify);
        let notify = self.notify(raw.notify, &platforms.chats);
        let policy = Policy {
            rules: rules?,
            allow_self_approval: allow_self_approval?,
            allow_bot_creator: allow_bot_creator?,
            reject_needs_reason: reject_needs_reason?,
            start_when_approved: start_when_approved?,
        };
        let on = on?.name.clone()?;
        let entry = Entry {
            on,
            project: project?,
            name: name?,
            gate: gate?,
            vote_as: vote_as?,
            policy,
            notify: notify?,
            mention: mention?,
        };
        self.warn_of_shadow(&entry, earlier, at);
        Some(entry)
    }

    fn forge<'f>(&mut self, on: &Spanned<String>, forges: &'f [Forge]) -> Option<&'f Forge> {
        let is_meant = |forge: &&Forge| forge.name.as_ref().map(ForgeName::as_str) == Some(on.get_ref());
        let found = forges.iter().find(is_meant);
        // Where a forge's own name or table is faulty, nobody knows whether this is the one.
        let all_known = !forges.is_empty() && forges.iter().all(|forge| forge.name.is_some());
        if found.is_none() && all_known {
            let names: Vec<&str> =
                forges.iter().filter_map(|forge| Some(forge.name.as_ref()?.as_str())).collect();
            let help = format!("the configured forges are `{}`", names.join("`, `"));
            self.sheet.fault(on.span(), format!("no forge is called {:?}", on.get_ref()), help);
        }
        found
    }

    fn project(&mut self, text: &Spanned<String>, kind: Option<Kind>) -> Option<Glob> {
        if !text.get_ref().is_empty() && !is_full_path(text.get_ref()) {
            let help = "write the full path, such as \"acme/shop\", or a glob over it, such as \"acme/**\"";
            self.sheet.fault(text.span(), "no project's path looks like this", help);
            return None;
        }
        let glob = self.glob(text, kind)?;
        let two_parts = |path: &str| path.split('/').count() == 2;
        if kind == Some(Kind::GitHub) && glob.literal().is_some_and(|path| !two_parts(path)) {
            let help = "write its owner and its name, such as \"acme/shop\"";
            self.sheet.fault(text.span(), "no repository is called like this", help);
            return None;
        }
        Some(glob)
    }

    fn glob(&mut self, text: &Spanned<String>, kind: Option<Kind>) -> Option<Glob> {
        let help = "`*` stands for anything within a path segment, `**` for anything at all";
        let glob = Glob::new(text.get_ref());
        let glob = glob.map_err(|error| self.sheet.fault(text.span(), error.to_string(), help)).ok()?;
        Some(if kind.is_some_and(Kind::ignores_case) { glob.without_case() } else { glob })
    }

    fn gate(&mut self, field: Field<String>, kind: Option<Kind>) -> Option<Gate> {
        let all = [Kind::GitLab { vote_as: None }, Kind::GitHub];
        let Some(kind) = kind else {
            return self.choice(field, &all.map(Kind::gates).concat());
        };
        let gates = kind.gates();
        let has = |gates: &[(&str, Gate)], word: &str| gates.iter().any(|(known, _)| *known == word);
        if let Field::Given(word) = &field
            && !has(gates, word.get_ref())
            && let Some(other) = all.into_iter().find(|other| has(other.gates(), word.get_ref()))
        {
            let title = format!("`{}` is a gate of {}'s", word.get_ref(), other.as_str());
            let words: Vec<&str> = gates.iter().map(|(word, _)| *word).collect();
            let help = format!("on {} write \"{}\"", kind.as_str(), words.join("\" or \""));
            self.sheet.fault(word.span(), title, help);
            return None;
        }
        self.choice(field, gates)
    }

    fn start_when_approved(&mut self, field: Field<bool>, kind: Option<Kind>) -> Option<bool> {
        self.or(field, true, |checker, start| {
            if kind == Some(Kind::GitHub) && !*start.get_ref() {
                let title = "GitHub starts the job itself once every protection rule is met";
                let help = "remove this line: what is approved there can't be held back";
                checker.sheet.fault(start.span(), title, help);
                return None;
            }
            Some(*start.get_ref())
        })
    }

    /// The rules of an entry. `vote_as` is `None` where a fault elsewhere leaves open who decides.
    fn rules(&mut self, who: WhoApproves, vote_as: Option<VoteAs>, at: &Range<usize>) -> Option<Vec<Rule>> {
        match vote_as {
            Some(VoteAs::Sudo) => {
                let given = [who.count.span(), who.levels.span(), who.rules.span()];
                for span in given.into_iter().flatten() {
                    let title = "with `vote_as = \"sudo\"` and gate `native` GitLab's own rules decide";
                    let help = "remove this: a second policy here would be believed and never asked";
                    self.sheet.fault(span, title, help);
                }
                Some(Vec::new())
            }
            Some(VoteAs::Bot) | None => {
                let silent = matches!((&who.levels, &who.rules), (Field::Absent, Field::Absent));
                if silent && vote_as.is_some() {
                    let help = "add `deploy_access_levels` or `approval_rules`";
                    self.sheet.fault(at.clone(), "this environment names nobody who may approve", help);
                }
                self.our_rules(who)
            }
        }
    }

    fn our_rules(&mut self, who: WhoApproves) -> Option<Vec<Rule>> {
        let rules = match who.rules {
            Field::Absent => {
                let count = self.required_approvals(who.count);
                let grantees = self.grantees(who.levels, who.kind);
                return Some(vec![self.rule(grantees?, count?)]);
            }
            Field::Broken => return None,
            Field::Given(rules) => rules,
        };
        if let Some(span) = who.count.span() {
            let title = "`required_approval_count` beside `approval_rules`";
            self.sheet.fault(span, title, "remove it: each rule has its own `required_approvals`");
        }
        if let Some(span) = who.levels.span() {
            let title = "`deploy_access_levels` has no say beside `approval_rules`";
            self.sheet.warning(span, title, "remove one of them");
        }
        let span = rules.span();
        match rules.get_ref().len() {
            0 => self.needs_nobody(span),
            1..=MAX_RULES => {}
            many => {
                let help = format!("at most {MAX_RULES} rules can be filled with people in bounded time");
                self.sheet.fault(span, format!("{many} approval rules are too many"), help);
            }
        }
        let rules: Vec<Option<Rule>> =
            rules.into_inner().into_iter().map(|rule| self.one_rule(rule?, who.kind)).collect();
        rules.into_iter().collect()
    }

    fn one_rule(&mut self, raw: Spanned<RawRule>, kind: Option<Kind>) -> Option<Rule> {
        let span = raw.span();
        let raw = raw.into_inner();
        let count = self.required_approvals(raw.required_approvals);
        let grantee = self.grantee(Spanned::new(span.clone(), raw.grantee), kind)?;
        Some(self.rule(Spanned::new(span, vec![grantee]), count?))
    }

    fn rule(&mut self, grantees: Spanned<Vec<Grantee>>, required_approvals: u32) -> Rule {
        let span = grantees.span();
        let grantees = grantees.into_inner();
        if people_named(&grantees).is_some_and(|people| people < required_approvals as usize) {
            let title = format!("{required_approvals} approvals are needed, but fewer people are named");
            self.sheet.warning(span, title, "name more people, or ask for fewer approvals");
        }
        Rule { grantees, required_approvals, label: None }
    }

    fn required_approvals(&mut self, field: Field<i64>) -> Option<u32> {
        self.or(field, 1, |checker, count| match u32::try_from(*count.get_ref()) {
            Ok(0) => {
                checker.needs_nobody(count.span());
                None
            }
            Ok(count) => Some(count),
            Err(_) => {
                let title = "this isn't a number of people";
                checker.sheet.fault(count.span(), title, "write 1 or more");
                None
            }
        })
    }

    fn needs_nobody(&mut self, span: Range<usize>) {
        let help = "ask for at least one approval; without a gate no entry is needed";
        self.sheet.fault(span, "a policy that needs nobody would approve by itself", help);
    }

    fn warn_of_shadow(&mut self, entry: &Entry, earlier: &[Option<Entry>], at: Range<usize>) {
        if !earlier.iter().flatten().any(|other| overshadows(other, entry)) {
            return;
        }
        if entry.notify.is_empty() {
            let title = "this entry is never used: an earlier one matches all that it could";
            self.sheet.warning(at, title, "remove it, or put it first; the first match wins");
        } else {
            let title =
                "this entry is never used, and its `notify` isn't either: an earlier one matches all that it could";
            let help = "put its `notify` into the earlier one and remove it, or put it first; the first match wins";
            self.sheet.warning(at, title, help);
        }
    }

    fn warn_of_idle_forges(&mut self, entries: &[Entry], forges: &[Forge]) {
        for forge in forges {
            let Some(name) = &forge.name else { continue };
            if !entries.iter().any(|entry| entry.on == *name) {
                let title = format!("no `[[environment]]` is on `{name}`, so nothing there is ever approved");
                self.sheet.warning(forge.at.clone(), title, format!("add one with `on = \"{name}\"`"));
            }
        }
    }
}

/// Whether an earlier entry takes everything that a later one could match.
pub(super) fn overshadows(earlier: &Entry, later: &Entry) -> bool {
    let covers = |wide: &Glob, narrow: &Glob| {
        wide == narrow || narrow.literal().is_some_and(|text| wide.matches(text))
    };
    earlier.on == later.on
        && covers(&earlier.project, &later.project)
        && covers(&earlier.name, &later.name)
}

pub(super) fn is_full_path(text: &str) -> bool {
    let segments = |text: &str| text.split('/').all(|segment| !segment.is_empty());
    segments(text) && !text.contains(char::is_whitespace)
}
