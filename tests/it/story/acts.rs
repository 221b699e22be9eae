//! The sentences that tell what people do.

use super::stage::{Act, Deploy, From, Role, Stage};
use super::world::World;
use jiff::SignedDuration;

type Acted = Result<bool, String>;

/// Lets somebody do something; `false` when the sentence tells something else.
pub(super) fn acted<S: Stage>(world: &mut World<S>, words: &[&str]) -> Acted {
    let [name, words @ ..] = words else { return Ok(false) };
    let by = world.user(if *name == "somebody" { "dana" } else { name })?;
    let words = if let [words @ .., "in", "the", "same", "second"] = words {
        words
    } else {
        world.clock.advance(SignedDuration::from_secs(1));
        words
    };
    let act = Act { by, words };
    Ok(world.stage.act(&act)?
        || comments(world, &act)?
        || deployments(world, &act)?
        || branches(world, &act)?
        || memberships(world, &act)?
        || ends(world, &act))
}

fn comments<S: Stage>(world: &mut World<S>, act: &Act<'_>) -> Acted {
    let lines = |text: &str| text.replace("\\n", "\n");
    let last = world.last_comment.ok_or_else(|| "there is no comment".to_owned());
    match act.words {
        ["writes", text] => world.last_comment = world.stage.comment(act.by, &lines(text))?,
        ["writes", text, "on", "the", "commit"] => {
            world.last_comment = world.stage.comment_on_commit(act.by, &lines(text))?;
        }
        ["edits", "that", "to", text] => world.stage.edit(last?, act.by, text)?,
        ["deletes", "that"] => world.stage.delete(last?, act.by)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn deployments<S: Stage>(world: &mut World<S>, act: &Act<'_>) -> Acted {
    let stage = &mut world.stage;
    match act.words {
        ["deploys", "to", environment, "from", "the", "request"] => {
            stage.deploy(act.by, Deploy { environments: &[environment], from: From::Request });
        }
        ["deploys", "to", environment, "from", branch] => {
            stage.deploy(act.by, Deploy { environments: &[environment], from: From::Branch(branch) });
        }
        ["deploys", "to", environments @ ..] => {
            let names = environments.iter().filter(|word| **word != "and");
            let names: Vec<&str> = names.map(|word| word.trim_end_matches(',')).collect();
            stage.deploy(act.by, Deploy { environments: &names, from: From::Branch("sell-more") });
        }
        ["cancels", environment] => stage.cancel(environment, act.by)?,
        ["runs", environment, "again"] => stage.run_again(environment, act.by)?,
        ["sees", environment, outcome @ ("succeed" | "fail")] => {
            stage.finish(environment, *outcome == "succeed")?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn branches<S: Stage>(world: &mut World<S>, act: &Act<'_>) -> Acted {
    match act.words {
        ["pushes", "a", "new", "commit"] => world.stage.push(act.by)?,
        ["pushes", "straight", "to", branch] => world.stage.push_straight(act.by, branch),
        ["merges"] => world.stage.merge(act.by, false)?,
        ["squashes", "and", "merges"] => world.stage.merge(act.by, true)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn memberships<S: Stage>(world: &World<S>, act: &Act<'_>) -> Acted {
    match act.words {
        ["leaves", "the", "project"] => world.stage.leave_project(act.by),
        ["joins", "the", "project", "as", "a", "maintainer"] => {
            world.stage.set_role(act.by, Role::Maintainer);
        }
        ["is", "made", "a", "developer"] => world.stage.set_role(act.by, Role::Developer),
        ["joins", group] => world.stage.join_group(group, act.by)?,
        ["leaves", group] => world.stage.leave_group(group, act.by)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn ends<S: Stage>(world: &World<S>, act: &Act<'_>) -> bool {
    match act.words {
        ["deletes", "the", "environment", environment] => world.stage.delete_environment(environment),
        ["deletes", "the", "project"] => world.stage.delete_project(),
        ["archives", "the", "project"] => world.stage.archive_project(),
        ["renames", "the", "project", "to", path] => world.stage.rename_project(path),
        _ => return false,
    }
    true
}
