//! Who may what: permissions as GitHub really returns them, teams, members.

use super::*;

async fn permission(world: &World, login: &str) -> (String, String) {
    let body = world.get(&format!("/:shop/collaborators/{login}/permission")).await.body;
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    (text("permission"), text("role_name"))
}

#[tokio::test]
async fn the_permission_is_told_in_old_words_and_the_role_in_its_own() {
    let world = world().await;
    let told = async |login: &str| permission(&world, login).await;
    let pair = |permission: &str, role: &str| (permission.to_owned(), role.to_owned());
    assert_eq!(told("bob").await, pair("admin", "admin"));
    assert_eq!(told("alice").await, pair("write", "maintain"));
    assert_eq!(told("dana").await, pair("write", "write"));
    assert_eq!(told("Mallory").await, pair("read", "read"), "everybody reads in public");
    world.github.add_collaborator(world.shop, world.mallory, Level::Triage);
    assert_eq!(told("mallory").await, pair("read", "triage"));
    world.github.add_collaborator(world.shop, world.mallory, Role::custom("deployer", Level::Maintain));
    assert_eq!(told("mallory").await, pair("write", "deployer"));
    world.github.remove_collaborator(world.shop, world.mallory);
    world.github.set_private(world.shop, true);
    assert_eq!(told("mallory").await, pair("none", "none"));
    assert_eq!(world.get("/:shop/collaborators/nobody/permission").await.status, 404);
    let user = world.get("/:shop/collaborators/dana/permission").await.body["user"].clone();
    assert_eq!((&user["id"], &user["permissions"]["push"]), (&json!(world.dana), &json!(true)));
}

#[tokio::test]
async fn the_highest_of_all_grants_counts() {
    let world = world().await;
    let team = world.github.add_team(world.acme, "sre", None);
    let child = world.github.add_team(world.acme, "sre-eu", Some(team));
    world.github.grant_team(team, world.shop, Level::Maintain);
    world.github.add_team_member(child, world.mallory, TeamState::Pending);
    assert_eq!(permission(&world, "mallory").await.0, "read");
    world.github.add_team_member(child, world.mallory, TeamState::Active);
    assert_eq!(permission(&world, "mallory").await.1, "maintain");
    world.github.add_org_member(world.acme, world.mallory, true);
    assert_eq!(permission(&world, "mallory").await.1, "admin");
    let maintainers = world.get("/:shop/collaborators?permission=maintain").await;
    assert_eq!(maintainers.each("login"), ["alice", "bob", "mallory"]);
}

#[tokio::test]
async fn teams_count_their_children_and_tell_who_is_only_invited() {
    let world = world().await;
    let team = world.github.add_team(world.acme, "sre", None);
    let child = world.github.add_team(world.acme, "sre-eu", Some(team));
    world.github.add_team_member(child, world.alice, TeamState::Active);
    world.github.add_team_member(team, world.bob, TeamState::Pending);
    let membership = async |login: &str| {
        let reply = world.get(&format!("/orgs/acme/teams/sre/memberships/{login}")).await;
        (reply.status, reply.body["state"].clone())
    };
    assert_eq!(membership("alice").await, (200, json!("active")));
    assert_eq!(membership("bob").await, (200, json!("pending")));
    assert_eq!(membership("dana").await, (404, Value::Null));
    assert_eq!(world.get("/orgs/acme/teams/sre/members").await.each("login"), ["alice"]);
    assert_eq!(world.get("/orgs/acme/teams/sre-eu").await.body["parent"]["slug"], "sre");
    assert_eq!(world.get("/orgs/acme/members/alice").await.status, 204);
    assert_eq!(world.get("/orgs/acme/members/bob").await.status, 404);
    world.github.remove_team_member(child, world.alice);
    assert_eq!(membership("alice").await.0, 404);
}

#[tokio::test]
async fn without_the_members_permission_nobody_is_a_member() {
    let world = world().await;
    let team = world.github.add_team(world.acme, "sre", None);
    world.github.add_team_member(team, world.alice, TeamState::Active);
    world.github.set_permissions(world.app.id, &[("members", "none")]);
    assert_eq!(world.get("/orgs/acme/teams/sre/memberships/alice").await.status, 404);
    assert_eq!(world.get("/orgs/acme/members/alice").await.status, 404);
}

#[tokio::test]
async fn accounts_are_found_by_id_and_login_and_the_apps_own_by_its_slug() {
    let world = world().await;
    let bot = world.get("/users/countersign%5Bbot%5D").await.body;
    assert_eq!((&bot["id"], &bot["type"]), (&json!(world.app.bot), &json!("Bot")));
    world.github.rename_user(world.dana, "dana-at-acme");
    assert_eq!(world.get(&format!("/user/{}", world.dana)).await.body["login"], "dana-at-acme");
    assert_eq!(world.get("/users/dana").await.status, 404);
    assert_eq!(world.get("/users/Dana-At-Acme").await.body["id"], world.dana);
}
