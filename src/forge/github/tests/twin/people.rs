//! Roles and teams.

use super::*;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::GroupRef;
use crate::sim::github::{Role, TeamState};

#[tokio::test]
async fn everybody_has_the_level_of_their_role() {
    let stage = stage().await;
    let [reads, sorts, deploys] = ["reads", "sorts", "deploys"].map(|name| stage.twin.add_user(name));
    stage.twin.add_collaborator(stage.repository, reads, Level::Read);
    stage.twin.add_collaborator(stage.repository, sorts, Level::Triage);
    stage.twin.add_collaborator(stage.repository, deploys, Role::custom("deployer", Level::Write));
    for (who, level) in
        [(reads, 10), (sorts, 20), (stage.dana, 30), (deploys, 30), (stage.alice, 40), (stage.bob, 50)]
    {
        let member = stage.github.member(stage.shop, user(who)).await.unwrap();
        assert_eq!((member.level, member.person.account.id), (level, user(who)));
        assert!(member.person.active && !member.person.account.bot);
    }
    stage.twin.set_private(stage.repository, true);
    assert_eq!(stage.github.member(stage.shop, user(stage.mallory)).await.unwrap().level, 0);
    let nobody = stage.github.member(stage.shop, UserId(999_999)).await;
    assert_eq!(nobody, Err(Failure::NotFound));
}

#[tokio::test]
async fn a_name_that_was_taken_over_gives_no_rights() {
    let stage = stage().await;
    stage.twin.set_private(stage.repository, true);
    let level = async |who| stage.github.member(stage.shop, user(who)).await.unwrap().level;
    assert_eq!((level(stage.mallory).await, level(stage.bob).await), (0, 50));
    stage.twin.rename_user(stage.bob, "robert");
    stage.twin.rename_user(stage.mallory, "bob");
    assert_eq!((level(stage.mallory).await, level(stage.bob).await), (0, 50));
    stage.twin.remove_collaborator(stage.repository, stage.bob);
    assert_eq!(level(stage.bob).await, 0);
}

#[tokio::test]
async fn active_members_of_a_team_and_of_its_children_belong_to_it() {
    let stage = stage().await;
    let sre = stage.twin.add_team(stage.acme, "sre", None);
    let night = stage.twin.add_team(stage.acme, "night", Some(sre));
    stage.twin.add_team_member(sre, stage.alice, TeamState::Active);
    stage.twin.add_team_member(sre, stage.dana, TeamState::Pending);
    stage.twin.add_team_member(night, stage.bob, TeamState::Active);
    for (who, belongs) in
        [(stage.alice, true), (stage.bob, true), (stage.dana, false), (stage.mallory, false)]
    {
        let team = GroupRef { path: "acme/sre", id: sre_id(sre) };
        assert_eq!(stage.github.is_group_member(team, true, user(who)).await, Ok(belongs));
    }
    assert_eq!(stage.github.group_id("Acme/sre").await, Ok(sre_id(sre)));
    let former = GroupRef { path: "acme/sre", id: sre_id(sre) + 1000 };
    let taken_over = stage.github.is_group_member(former, true, user(stage.alice)).await;
    assert!(matches!(taken_over, Err(Failure::Refused(Refusal::Other(_)))), "{taken_over:?}");
    let listed = stage.github.group_members("Acme/sre", true).await.unwrap().unwrap();
    let mut names: Vec<&str> = listed.iter().map(|account| account.username.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["alice", "bob"]);
}

#[tokio::test]
async fn who_may_not_read_members_does_not_know() {
    let stage = stage().await;
    let sre = stage.twin.add_team(stage.acme, "sre", None);
    stage.twin.add_team_member(sre, stage.alice, TeamState::Active);
    stage.twin.set_permissions(stage.app.id, &[("members", "none")]);
    let unknown = Err(Failure::Refused(Refusal::NoPermission));
    let holds = async |path| {
        let team = GroupRef { path, id: sre_id(sre) };
        stage.github.is_group_member(team, true, user(stage.alice)).await
    };
    assert_eq!(holds("acme/sre").await, unknown);
    assert_eq!(holds("elsewhere/sre").await, unknown);
    let no_team = holds("sre").await;
    assert!(matches!(no_team, Err(Failure::Refused(Refusal::Other(_)))));
}

#[tokio::test]
async fn people_are_listed_from_a_level_upwards() {
    let stage = stage().await;
    let names = async |level| {
        let listed = stage.github.members_from(stage.shop, level).await.unwrap().unwrap();
        // The organisation that owns it isn't a person.
        let people = listed.into_iter().filter(|account| !account.bot);
        let mut names: Vec<String> = people.map(|account| account.username).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(30).await, ["alice", "bob", "dana"]);
    assert_eq!(names(40).await, ["alice", "bob"]);
    assert_eq!(names(50).await, ["bob"]);
    for number in 0..98 {
        let more = stage.twin.add_user(&format!("more-{number}"));
        stage.twin.add_collaborator(stage.repository, more, Level::Write);
    }
    assert_eq!(stage.github.members_from(stage.shop, 30).await, Ok(None));
}

#[tokio::test]
async fn people_are_found_by_their_login() {
    let stage = stage().await;
    let found = stage.github.user_named("DANA").await.unwrap().unwrap();
    assert_eq!((found.id, found.username.as_str(), found.bot), (user(stage.dana), "dana", false));
    assert_eq!(stage.github.user_named("nobody").await, Ok(None));
    stage.twin.clear_requests();
    assert_eq!(stage.github.user_named("dana/../bob").await, Ok(None));
    assert_eq!(stage.twin.requests().len(), 0);
    let me = stage.github.me().await.unwrap();
    assert_eq!((me.id, me.username.as_str(), me.bot), (user(stage.app.bot), "countersign", true));
}

fn sre_id(team: sim::TeamId) -> i64 {
    team.cast_signed()
}
