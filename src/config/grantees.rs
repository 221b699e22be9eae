//! From raw to checked: to whom an `[[environment]]` grants the right to approve.

use super::check::Checker;
use super::environments::is_full_path;
use super::forges::Kind;
use super::raw::RawGrantee;
use super::sheet::{Field, Items, WordOrNumber};
use crate::domain::id::UserId;
use crate::domain::policy::{Grantee, Role};
use std::collections::BTreeSet;
use toml::Spanned;

/// GitLab's words for access levels.
const ACCESS_LEVELS: [(&str, i32); 4] = [("developer", 30), ("maintainer", 40), ("owner", 50), ("admin", 60)];

/// The keys that name a grantee, as a sentence lists them.
fn grantees_of(kind: Option<Kind>) -> &'static str {
    kind.map_or("`user`, `user_id`, `group`, `access_level`, `team` or `role`", Kind::grantees)
}

impl Checker<'_> {
    pub(super) fn grantees(
        &mut self,
        field: Field<Items<RawGrantee>>,
        kind: Option<Kind>,
    ) -> Option<Spanned<Vec<Grantee>>> {
        // Where the list is absent `rules` has said so.
        let Field::Given(levels) = field else { return None };
        let span = levels.span();
        if levels.get_ref().is_empty() {
            let help = format!("name at least one {}", grantees_of(kind));
            self.sheet.fault(span, "this environment names nobody who may approve", help);
            return None;
        }
        let grantees: Vec<Option<Grantee>> =
            levels.into_inner().into_iter().map(|item| self.grantee(item?, kind)).collect();
        Some(Spanned::new(span, grantees.into_iter().collect::<Option<_>>()?))
    }

    pub(super) fn grantee(&mut self, raw: Spanned<RawGrantee>, kind: Option<Kind>) -> Option<Grantee> {
        let at = raw.span();
        let raw = raw.into_inner();
        if self.of_another_kind(&raw, kind) {
            return None;
        }
        if let (Some(span), Field::Absent) = (raw.inherited.span(), &raw.group) {
            let help = "remove it: only members of a `group` can be inherited";
            self.sheet.fault(span, "`inherited` without `group`", help);
        }
        let people = [raw.user.span(), raw.user_id.span(), raw.group.span(), raw.team.span()];
        let given = people.into_iter().chain([raw.access_level.span(), raw.role.span()]).flatten().count();
        let inherited = Self::plain(raw.inherited, false);
        let user = self.or(raw.user, None, |checker, name| checker.user_name(name, kind).map(Some));
        let user_id = self.or(raw.user_id, None, |checker, id| checker.user_id(id).map(Some));
        let level = self.or(raw.access_level, None, |checker, level| checker.access_level(level).map(Some));
        let path = self.or(raw.group, None, |checker, path| checker.group(path).map(Some));
        let team = self.or(raw.team, None, |checker, team| checker.team(team).map(Some));
        let role = self.or(raw.role, None, |checker, role| checker.role(role).map(Some));
        if given != 1 {
            let title = format!("a grantee is exactly one of {}", grantees_of(kind));
            self.sheet.fault(at, title, "write one `{ … }` for each");
            return None;
        }
        let group = path?.map(|path| Some(Grantee::Group { path, inherited: inherited? }));
        let one = user?.map(Grantee::User).or(user_id?.map(Grantee::UserId)).or(team?.map(Grantee::Team));
        one.or(level?.map(Grantee::AccessLevel)).or(role?.map(Grantee::Role)).or(group.flatten())
    }

    /// Says of each key that only the other kind of forge has.
    fn of_another_kind(&mut self, raw: &RawGrantee, kind: Option<Kind>) -> bool {
        let foreign = match kind {
            Some(Kind::GitLab { .. }) => vec![("team", raw.team.span()), ("role", raw.role.span())],
            Some(Kind::GitHub) => vec![
                ("user_id", raw.user_id.span()),
                ("group", raw.group.span()),
                ("access_level", raw.access_level.span()),
                ("inherited", raw.inherited.span()),
            ],
            None => Vec::new(),
        };
        let mut found = false;
        for (key, span) in foreign.into_iter().filter_map(|(key, span)| Some((key, span?))) {
            found = true;
            let here = kind.map_or("", Kind::as_str);
            let help = if key == "inherited" {
                "remove it: members of a team's child teams always count".to_owned()
            } else {
                format!("here a grantee is exactly one of {}", grantees_of(kind))
            };
            self.sheet.fault(span, format!("`{key}` has no meaning on {here}"), help);
        }
        found
    }

    pub(super) fn user_name(&mut self, name: &Spanned<String>, kind: Option<Kind>) -> Option<String> {
        let text = name.get_ref();
        let is_odd = |c: char| match kind {
            // Here it goes into addresses, and GitHub gives out no other logins.
            Some(Kind::GitHub) => !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')),
            Some(Kind::GitLab { .. }) | None => c == '@' || c == '/' || c.is_whitespace(),
        };
        if text.is_empty() || text.contains(is_odd) {
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

    fn team(&mut self, name: &Spanned<String>) -> Option<String> {
        let is_word = |word: &str| {
            let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            !word.is_empty() && word.chars().all(usual)
        };
        let parts: Vec<&str> = name.get_ref().split('/').collect();
        if parts.len() != 2 || !parts.into_iter().all(is_word) {
            let help = "write its organisation and its slug, such as \"acme/sre\"";
            self.sheet.fault(name.span(), "no team is called like this", help);
            return None;
        }
        Some(name.get_ref().clone())
    }

    fn role(&mut self, role: &Spanned<String>) -> Option<Role> {
        let words = [Role::Write, Role::Maintain, Role::Admin].map(|role| (role.as_str(), role));
        self.choice(Field::Given(role.clone()), &words)
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
}

/// How many people the grantees can be, where each of them is one person.
pub(super) fn people_named(grantees: &[Grantee]) -> Option<usize> {
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
