//! From raw to checked: who must approve what.

use super::check::{Checker, Forge};
use super::raw::{RawEnvironment, RawGrantee, RawRule};
use super::sheet::{Field, Items, WordOrNumber};
use crate::domain::glob::Glob;
use crate::domain::id::{ForgeName, UserId};
use crate::domain::matching::MAX_RULES;
use crate::domain::policy::{Entry, Gate, Grantee, Policies, Policy, Rule, VoteAs};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;

/// GitLab's words for access levels.
const ACCESS_LEVELS: [(&str, i32); 4] = [("developer", 30), ("maintainer", 40), ("owner", 50), ("admin", 60)];
const GRANTEES: &str = "`user`, `user_id`, `group` or `access_level`";

/// The three keys that say who approves.
struct WhoApproves {
    count: Field<i64>,
    levels: Field<Items<RawGrantee>>,
    rules: Field<Items<RawRule>>,
}

impl Checker<'_> {
    pub(super) fn policies(
        &mut self,
        field: Field<Items<RawEnvironment>>,
        forges: &[Forge],
    ) -> Option<Policies> {
        let items = Self::plain(field, Vec::new())?;
        let mut entries: Vec<Option<Entry>> = Vec::new();
        for item in items {
            let entry = item.and_then(|item| self.environment(item, forges, &entries));
            entries.push(entry);
        }
        let entries = entries.into_iter().collect::<Option<Vec<Entry>>>()?;
        self.warn_of_idle_forges(&entries, forges);
        Some(Policies::new(entries))
    }

    fn environment(
        &mut self,
        raw: Spanned<RawEnvironment>,
        forges: &[Forge],
        earlier: &[Option<Entry>],
    ) -> Option<Entry> {
        let at = raw.span();
        let raw = raw.into_inner();
        let on = self.required(raw.on, &at, "on").and_then(|on| self.forge(&on, forges));
        let project = self.required(raw.project, &at, "project").and_then(|text| self.project(&text));
        let name = self.required(raw.name, &at, "name").and_then(|text| self.glob(&text));
        let gate = self.gate(raw.gate);
        let vote_as = gate.and_then(|gate| vote_through(gate, on.as_ref()?.vote_as));
        let who = WhoApproves {
            count: raw.required_approval_count,
            levels: raw.deploy_access_levels,
            rules: raw.approval_rules,
        };
        let rules = self.rules(who, vote_as, &at);
        let allow_self_approval = Self::plain(raw.allow_self_approval, false);
        let allow_bot_creator = Self::plain(raw.allow_bot_creator, false);
        let reject_needs_reason = Self::plain(raw.reject_needs_reason, true);
        let start_when_approved = Self::plain(raw.start_when_approved, true);
        self.refuse_notify(raw.notify);
        let policy = Policy {
            rules: rules?,
            allow_self_approval: allow_self_approval?,
            allow_bot_creator: allow_bot_creator?,
            reject_needs_reason: reject_needs_reason?,
            start_when_approved: start_when_approved?,
        };
        let on = on?.name.clone()?;
        let entry = Entry { on, project: project?, name: name?, gate: gate?, vote_as: vote_as?, policy };
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

    fn project(&mut self, text: &Spanned<String>) -> Option<Glob> {
        if !text.get_ref().is_empty() && !is_full_path(text.get_ref()) {
            let help = "write the full path, such as \"acme/shop\", or a glob over it, such as \"acme/**\"";
            self.sheet.fault(text.span(), "no project's path looks like this", help);
            return None;
        }
        self.glob(text)
    }

    fn glob(&mut self, text: &Spanned<String>) -> Option<Glob> {
        let help = "`*` stands for anything within a path segment, `**` for anything at all";
        Glob::new(text.get_ref()).map_err(|error| self.sheet.fault(text.span(), error.to_string(), help)).ok()
    }

    fn gate(&mut self, field: Field<String>) -> Option<Gate> {
        if let Field::Given(word) = &field
            && word.get_ref() == "protection_rule"
        {
            let title = "`protection_rule` is a gate of GitHub's, which this version doesn't speak";
            self.sheet.fault(word.span(), title, "write \"native\" or \"manual_job\"");
            return None;
        }
        self.choice(field, &[("native", Gate::Native), ("manual_job", Gate::ManualJob)])
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
                let grantees = self.grantees(who.levels);
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
            rules.into_inner().into_iter().map(|rule| self.one_rule(rule?)).collect();
        rules.into_iter().collect()
    }

    fn one_rule(&mut self, raw: Spanned<RawRule>) -> Option<Rule> {
        let span = raw.span();
        let raw = raw.into_inner();
        let count = self.required_approvals(raw.required_approvals);
        let grantee = self.grantee(Spanned::new(span.clone(), raw.grantee))?;
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

    fn grantees(&mut self, field: Field<Items<RawGrantee>>) -> Option<Spanned<Vec<Grantee>>> {
        // Where the list is absent `rules` has said so.
        let Field::Given(levels) = field else { return None };
        let span = levels.span();
        if levels.get_ref().is_empty() {
            let help = format!("name at least one {GRANTEES}");
            self.sheet.fault(span, "this environment names nobody who may approve", help);
            return None;
        }
        let grantees: Vec<Option<Grantee>> =
            levels.into_inner().into_iter().map(|item| self.grantee(item?)).collect();
        Some(Spanned::new(span, grantees.into_iter().collect::<Option<_>>()?))
    }

    fn grantee(&mut self, raw: Spanned<RawGrantee>) -> Option<Grantee> {
        let at = raw.span();
        let raw = raw.into_inner();
        let given = [raw.user.span(), raw.user_id.span(), raw.group.span(), raw.access_level.span()];
        if let (Some(span), Field::Absent) = (raw.inherited.span(), &raw.group) {
            let help = "remove it: only members of a `group` can be inherited";
            self.sheet.fault(span, "`inherited` without `group`", help);
        }
        let inherited = Self::plain(raw.inherited, false);
        let user = self.or(raw.user, None, |checker, name| checker.user_name(name).map(Some));
        let user_id = self.or(raw.user_id, None, |checker, id| checker.user_id(id).map(Some));
        let level = self.or(raw.access_level, None, |checker, level| checker.access_level(level).map(Some));
        let path = self.or(raw.group, None, |checker, path| checker.group(path).map(Some));
        if given.into_iter().flatten().count() != 1 {
            let title = format!("a grantee is exactly one of {GRANTEES}");
            self.sheet.fault(at, title, "write one `{ … }` for each");
            return None;
        }
        let group = path?.map(|path| Some(Grantee::Group { path, inherited: inherited? }));
        let one = user?.map(Grantee::User).or(user_id?.map(Grantee::UserId));
        one.or(level?.map(Grantee::AccessLevel)).or(group.flatten())
    }

    fn user_name(&mut self, name: &Spanned<String>) -> Option<String> {
        let text = name.get_ref();
        if text.is_empty() || text.contains(|c: char| c == '@' || c == '/' || c.is_whitespace()) {
            self.sheet.fault(name.span(), "this isn't a user name", "write it without `@`, such as \"dana\"");
            return None;
        }
        Some(text.clone())
    }

    fn user_id(&mut self, id: &Spanned<i64>) -> Option<UserId> {
        if *id.get_ref() < 1 {
            self.sheet.fault(id.span(), "this isn't a user's number", "write 1 or more");
            return None;
        }
        Some(UserId(*id.get_ref()))
    }

    fn group(&mut self, path: &Spanned<String>) -> Option<String> {
        let text = path.get_ref();
        if !is_full_path(text) || text.contains('*') {
            let help = "write its full path, such as \"acme/sre\"";
            self.sheet.fault(path.span(), "no group's path looks like this", help);
            return None;
        }
        Some(text.clone())
    }

    fn access_level(&mut self, level: &Spanned<WordOrNumber>) -> Option<i32> {
        let span = level.span();
        match level.get_ref() {
            WordOrNumber::Word(word) => {
                self.choice(Field::Given(Spanned::new(span, word.clone())), &ACCESS_LEVELS)
            }
            // GitLab adds levels between the named ones now and then; above 60 there is nobody.
            WordOrNumber::Number(number @ 1..=60) => i32::try_from(*number).ok(),
            WordOrNumber::Number(_) => {
                let help = "30 is developer, 40 maintainer, 50 owner, 60 admin; each means \"at least\"";
                self.sheet.fault(span, "there is no such access level", help);
                None
            }
        }
    }

    fn refuse_notify(&mut self, field: Field<Items<String>>) {
        if let Field::Given(targets) = field
            && !targets.get_ref().is_empty()
        {
            let title = "this version notifies no chats";
            self.sheet.fault(targets.span(), title, "remove this line: this version speaks GitLab only");
        }
    }

    fn warn_of_shadow(&mut self, entry: &Entry, earlier: &[Option<Entry>], at: Range<usize>) {
        let same = |other: &Entry| {
            other.on == entry.on && other.project == entry.project && other.name == entry.name
        };
        if earlier.iter().flatten().any(same) {
            let title = "this entry is never used: an earlier one has the same project and name";
            self.sheet.warning(at, title, "remove one of them; the first match wins");
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

/// Who decides behind a gate. At a manual job there is no vote to cast as anybody, so our own policy decides
/// whatever the forge's `vote_as` is.
fn vote_through(gate: Gate, of_forge: Option<VoteAs>) -> Option<VoteAs> {
    match gate {
        Gate::Native => of_forge,
        Gate::ManualJob | Gate::ProtectionRule => Some(VoteAs::Bot),
    }
}

/// How many people the grantees can be, where each of them is one person.
fn people_named(grantees: &[Grantee]) -> Option<usize> {
    let person = |grantee: &Grantee| match grantee {
        Grantee::User(name) => Some(name.to_lowercase()),
        Grantee::UserId(id) => Some(id.0.to_string()),
        Grantee::Group { .. }
        | Grantee::GroupId { .. }
        | Grantee::Team(_)
        | Grantee::Role(_)
        | Grantee::AccessLevel(_) => None,
    };
    let people: Option<BTreeSet<String>> = grantees.iter().map(person).collect();
    people.map(|people| people.len())
}

fn is_full_path(text: &str) -> bool {
    let segments = |text: &str| text.split('/').all(|segment| !segment.is_empty());
    segments(text) && !text.contains(char::is_whitespace)
}
