//! Who lives in a story.

use countersign::sim::gitlab::{GitLab, GroupId, Level, ProjectId, UserId};
use std::collections::BTreeMap;

type Named<T> = BTreeMap<String, T>;

/// The project `acme/shop` and its people: dana deploys, alice and bob are maintainers, mallory only reads.
pub(super) fn populate(gitlab: &GitLab) -> (ProjectId, Named<UserId>, Named<GroupId>) {
    let acme = gitlab.add_group("acme", None);
    let project = gitlab.add_project("acme/shop");
    let (mut users, mut groups) = (BTreeMap::new(), BTreeMap::from([("acme".to_owned(), acme)]));
    let people = [("dana", Level::DEVELOPER), ("alice", Level::MAINTAINER), ("bob", Level::MAINTAINER)];
    for (name, level) in people.into_iter().chain([("mallory", Level::REPORTER), ("carol", Level::DEVELOPER)])
    {
        let user = gitlab.add_user(name, name);
        gitlab.add_member(project, user, level);
        users.insert(name.to_owned(), user);
    }
    let bot = gitlab.add_bot("countersign", "Countersign");
    gitlab.add_member(project, bot, Level::MAINTAINER);
    users.insert("countersign".to_owned(), bot);
    let other = gitlab.add_bot("renovate", "Renovate");
    gitlab.add_member(project, other, Level::MAINTAINER);
    users.insert("renovate".to_owned(), other);
    for (path, members) in [("qa", &["alice"][..]), ("sre", &["alice", "bob"][..])] {
        let group = gitlab.add_group(path, Some(acme));
        groups.insert(format!("acme/{path}"), group);
        gitlab.add_group_member(group, bot, Level::GUEST);
        for member in members {
            gitlab.add_group_member(group, users[*member], Level::DEVELOPER);
        }
    }
    (project, users, groups)
}
