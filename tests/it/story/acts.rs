//! The sentences that tell what people do.

use super::steps::newest;
use super::world::World;
use countersign::sim::gitlab::{JobSpec, Level, Refused, UserId, UserState};
use jiff::SignedDuration;

/// Who does it, and in which words it is told.
struct Act<'a> {
    by: UserId,
    words: &'a [&'a str],
}

type Acted = Result<bool, String>;

/// Lets somebody do something; `false` when the sentence tells something else.
pub(super) fn acted(world: &mut World, words: &[&str]) -> Acted {
    let [name, words @ ..] = words else { return Ok(false) };
    let by = world.user(if *name == "somebody" { "dana" } else { name })?;
    let words = if let [words @ .., "in", "the", "same", "second"] = words {
        words
    } else {
        world.clock.advance(SignedDuration::from_secs(1));
        words
    };
    let act = Act { by, words };
    Ok(comments(world, &act)?
        || pipelines(world, &act)
        || branches(world, &act)?
        || gitlabs_pages(world, &act)?
        || memberships(world, &act)?
        || ends(world, &act)?)
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn refused(error: Refused) -> String {
    error.message().to_owned()
}

fn comments(world: &mut World, act: &Act<'_>) -> Acted {
    let (project, request, by) = (world.project, world.request, act.by);
    let lines = |text: &str| text.replace("\\n", "\n");
    let last = world.last_note.ok_or_else(|| "there is no comment".to_owned());
    let gitlab = world.gitlab.clone();
    match act.words {
        ["writes", text] => {
            world.last_note = gitlab.comment_on_mr(project, request, by, &lines(text)).map_err(refused)?;
        }
        ["writes", text, "internally"] => {
            world.last_note =
                gitlab.comment_internally(project, request, by, &lines(text)).map_err(refused)?;
        }
        ["writes", text, "on", "the", "commit"] => {
            world.last_note =
                gitlab.comment_on_commit(project, &world.head, by, &lines(text)).map_err(refused)?;
        }
        ["answers", text, "to", "that"] => {
            world.last_note = gitlab.reply(last?, by, &lines(text)).map_err(refused)?;
        }
        ["edits", "that", "to", text] => gitlab.edit_note(last?, by, text).map_err(refused)?,
        ["deletes", "that"] => gitlab.delete_note(last?, by).map_err(refused)?,
        ["reacts", "to", "that"] => gitlab.react(last?, by, "thumbsup").map_err(refused)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn pipelines(world: &mut World, act: &Act<'_>) -> bool {
    let manual = |name: &str| JobSpec::new(format!("deploy {name}")).environment(name).manual();
    match act.words {
        ["deploys", "to", environment, "in", "a", "merge-request", "pipeline"] => {
            let branch = format!("refs/merge-requests/{}/head", world.request);
            world.deploy_from(&branch, act.by, vec![manual(environment)]);
        }
        ["deploys", "to", environment, "from", branch] => {
            world.deploy_from(branch, act.by, vec![manual(environment)]);
        }
        ["deploys", "to", environments @ ..] => {
            let names =
                environments.iter().filter(|word| **word != "and").map(|word| word.trim_end_matches(','));
            let jobs = names.map(manual).collect();
            world.deploy(act.by, jobs);
        }
        ["deploys", "a", "matrix", "of", variants, "to", environment] => {
            let variants: Vec<&str> = variants.split(',').collect();
            let job = JobSpec::new("deploy").environment(*environment).manual();
            world.deploy(act.by, job.matrix(&variants));
        }
        ["offers", "to", "stop", environment] => {
            let job = JobSpec::new("stop").environment(*environment).action("stop").manual();
            world.deploy(act.by, vec![job]);
        }
        _ => return false,
    }
    true
}

fn branches(world: &mut World, act: &Act<'_>) -> Acted {
    let (project, request) = (world.project, world.request);
    match act.words {
        ["pushes", "a", "new", "commit"] => {
            world.commits += 1;
            world.head = format!("{:040x}", world.commits);
            world.gitlab.add_commit(project, &world.head, "Sell even more", "Dana");
            world.gitlab.push(project, request, act.by, &world.head).map_err(refused)?;
        }
        ["merges"] => world.head = world.gitlab.merge(project, request, act.by).map_err(refused)?,
        ["squashes", "and", "merges"] => {
            world.head = world.gitlab.squash_and_merge(project, request, act.by).map_err(refused)?;
        }
        ["approves", "the", "merge", "request"] => {
            world.gitlab.approve_merge_request(project, request, act.by).map_err(refused)?;
        }
        ["locks", "the", "discussion"] => {
            world.gitlab.lock_discussion(project, request, true).map_err(refused)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn gitlabs_pages(world: &World, act: &Act<'_>) -> Acted {
    let job = |environment| newest(world, environment)?.job.ok_or_else(|| "it has no job".to_owned());
    match act.words {
        ["approves", environment, "in", "GitLab"] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.approve_deployment(deployment, act.by, None).map_err(refused)?;
        }
        ["rejects", environment, "in", "GitLab"] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.reject_deployment(deployment, act.by, None).map_err(refused)?;
        }
        ["plays", environment, "in", "GitLab"] => {
            world.gitlab.play_job(job(environment)?, act.by).map_err(refused)?;
        }
        ["retries", environment, "in", "GitLab"] => {
            world.gitlab.retry_job(job(environment)?, act.by).map_err(refused)?;
        }
        ["cancels", environment, "in", "GitLab"] => {
            world.gitlab.cancel_job(job(environment)?, act.by).map_err(refused)?;
        }
        ["sees", "the", "job", "of", environment, outcome @ ("succeed" | "fail")] => {
            world.gitlab.finish_job(job(environment)?, *outcome == "succeed");
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn memberships(world: &World, act: &Act<'_>) -> Acted {
    match act.words {
        ["leaves", "the", "project"] => world.gitlab.remove_member(world.project, act.by),
        ["joins", "the", "project", "as", "a", "maintainer"] => {
            world.gitlab.add_member(world.project, act.by, Level::MAINTAINER);
        }
        ["is", "made", "a", "developer"] => world.gitlab.add_member(world.project, act.by, Level::DEVELOPER),
        ["joins", group] => world.gitlab.add_group_member(world.group(group)?, act.by, Level::DEVELOPER),
        ["leaves", group] => world.gitlab.remove_group_member(world.group(group)?, act.by),
        ["is", "blocked", "by", "an", "administrator"] => {
            world.gitlab.set_user_state(act.by, UserState::Blocked);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn ends(world: &World, act: &Act<'_>) -> Acted {
    match act.words {
        ["deletes", "the", "deployment", "to", environment] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.delete_deployment(deployment);
        }
        ["deletes", "the", "environment", environment] => {
            world.gitlab.delete_environment(world.project, environment);
        }
        ["deletes", "the", "project"] => world.gitlab.delete_project(world.project),
        ["archives", "the", "project"] => world.gitlab.archive_project(world.project),
        ["renames", "the", "project", "to", path] => world.gitlab.rename_project(world.project, path),
        _ => return Ok(false),
    }
    Ok(true)
}
