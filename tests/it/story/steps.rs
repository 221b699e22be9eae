//! The sentences that stories are told in.

use super::world::World;
use countersign::sim::faults::{Action, HookFaults, Rule};
use countersign::sim::gitlab::{DeploymentView, JobSpec};

type Told = Result<(), String>;

/// Plays one sentence.
pub(crate) async fn play(world: &mut World, sentence: &str) -> Told {
    let sentence = sentence.trim_end_matches('.');
    let words = split(sentence);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if told(world, &words)? || checked(world, &words).await? {
        return Ok(());
    }
    expect_silence(world)?;
    if arranged(world, &words).await? || acted(world, &words)? {
        world.settle().await;
        return Ok(());
    }
    Err("no such sentence: see tests/it/story/steps.rs".to_owned())
}

/// Before anybody acts, everything that Countersign wrote must have been told.
fn expect_silence(world: &World) -> Told {
    match world.unread().first() {
        Some(note) => Err(format!("Countersign wrote something the story doesn't tell: {}", note.body)),
        None => Ok(()),
    }
}

/// What Countersign says.
fn told(world: &mut World, words: &[&str]) -> Result<bool, String> {
    match words {
        ["countersign", "answers", part] => {
            let note = world.unread().into_iter().next().ok_or("Countersign wrote nothing")?;
            contains(&note.body, part)?;
            world.read.insert(note.id);
        }
        ["countersign", "also", "says", part] => {
            let read: Vec<_> = world.read.iter().copied().collect();
            let last = read.last().and_then(|note| world.gitlab.note(*note)).ok_or("nothing was read yet")?;
            contains(&last.body, part)?;
        }
        ["countersign", "says", "nothing"] => expect_silence(world)?,
        ["the", "card", "says", part] => contains(&card(world)?, part)?,
        ["the", "card", "does", "not", "say", part] => {
            let card = card(world)?;
            if card.contains(part) {
                return Err(format!("the card says it: {card}"));
            }
        }
        ["there", "is", "no", "card"] => {
            if world.cards() > 0 {
                return Err(card(world)?);
            }
        }
        ["there", "is", "one", "card"] => {
            if world.cards() != 1 {
                return Err(format!("there are {} cards", world.cards()));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What is to be seen in GitLab.
async fn checked(world: &mut World, words: &[&str]) -> Result<bool, String> {
    match words {
        [environment, "is", status @ ("blocked" | "running" | "success" | "failed" | "canceled")] => {
            let newest = newest(world, environment)?;
            expect(&newest.status, status)?;
        }
        ["the", "first", "deployment", "to", environment, "is", status] => {
            let first = deployments(world, environment).into_iter().next().ok_or("there is none")?;
            expect(&first.status, status)?;
        }
        ["the", "job", "of", environment, "was", "played", times] => {
            let plays: u32 = deployments(world, environment)
                .iter()
                .filter_map(|deployment| deployment.job)
                .map(|job| world.gitlab.plays(job))
                .sum();
            expect(&plays.to_string(), &number(times)?.to_string())?;
        }
        ["there", "are", count, "deployments", "to", environment] => {
            expect(&deployments(world, environment).len().to_string(), &number(count)?.to_string())?;
        }
        ["GitLab", "holds", "an", verdict @ ("approval" | "rejection"), "by", name] => {
            let wanted = if *verdict == "approval" { "approved" } else { "rejected" };
            let held = world.gitlab.deployments(world.project);
            if !held.iter().flat_map(|d| &d.approvals).any(|a| a.user == *name && a.status == wanted) {
                return Err(format!("it doesn't: {held:?}"));
            }
        }
        ["GitLab", "holds", "no", "votes"] => {
            let held = world.gitlab.deployments(world.project);
            if held.iter().any(|d| !d.approvals.is_empty()) {
                return Err(format!("it does: {held:?}"));
            }
        }
        ["that", "has", count, "reactions"] => {
            let note =
                world.last_note.and_then(|note| world.gitlab.note(note)).ok_or("there is no comment")?;
            expect(&note.reactions.len().to_string(), &number(count)?.to_string())?;
        }
        ["at", "most", count, "calls", "were", "made"] => {
            let made = world.gitlab.requests().len();
            if made > number(count)? as usize {
                return Err(format!("{made} calls were made"));
            }
        }
        ["the", "ledger", "of", environment, "tells", rest @ ..] => {
            return super::world::ledger_tells(world, environment, rest).await.map(|()| true);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// How the world behaves.
async fn arranged(world: &mut World, words: &[&str]) -> Result<bool, String> {
    let hooks = |faults: HookFaults| world.gitlab.set_hook_faults(faults);
    match words {
        ["every", "hook", "is", "lost"] => {
            hooks(HookFaults { lose_everything: true, ..HookFaults::default() })
        }
        ["the", "next", "hook", "is", "lost"] => hooks(HookFaults { lose_next: 1, ..HookFaults::default() }),
        ["hooks", "arrive", "twice"] => hooks(HookFaults { duplicate: true, ..HookFaults::default() }),
        ["hooks", "arrive", "in", "reverse", "order"] => {
            hooks(HookFaults { reverse: true, ..HookFaults::default() });
        }
        ["hooks", "arrive", "again"] => hooks(HookFaults::default()),
        ["hooks", "are", "held", "back"] => world.hooks_arrive = false,
        ["the", "hooks", "are", "let", "go"] => world.hooks_arrive = true,
        ["GitLab", "answers", status, "to", path] => {
            let body = "<html>GitLab is not well</html>".to_owned();
            let status = u16::try_from(number(status)?).unwrap_or(500);
            let path = if *path == "everything" { "" } else { path };
            world.gitlab.add_fault(Rule::new(path, Action::Answer { status, body }));
        }
        ["GitLab", "refuses", "new", "comments"] => {
            let body = r#"{"message":"403 Forbidden"}"#.to_owned();
            world.gitlab.add_fault(Rule::new("/notes", Action::Answer { status: 403, body }).method("POST"));
        }
        ["GitLab", "acts", "on", "the", "next", path, "but", "its", "answer", "is", "lost"] => {
            world.gitlab.add_fault(Rule::new(*path, Action::ActThenDrop).method("POST").times(1));
        }
        ["GitLab", "limits", "the", "next", "call", "for", seconds, "seconds"] => {
            let retry_after = Some(u64::from(number(seconds)?));
            world.gitlab.add_fault(Rule::new("", Action::TooManyRequests { retry_after }).times(1));
        }
        ["GitLab", "is", "well", "again"] => world.gitlab.clear_faults(),
        [count, "second" | "seconds", "pass" | "passes"] => world.advance(i64::from(number(count)?)).await,
        [count, "minutes" | "minute", "pass" | "passes"] => {
            world.advance(i64::from(number(count)?) * 60).await
        }
        [count, "hours" | "hour", "pass" | "passes"] => world.advance(i64::from(number(count)?) * 3600).await,
        ["calls", "are", "counted"] => world.gitlab.clear_requests(),
        _ => return Ok(false),
    }
    Ok(true)
}

/// What people do.
fn acted(world: &mut World, words: &[&str]) -> Result<bool, String> {
    let [name, act @ ..] = words else { return Ok(false) };
    let user = if *name == "somebody" { world.user("dana")? } else { world.user(name)? };
    let refused = |error: countersign::sim::gitlab::Refused| error.message().to_owned();
    world.clock.advance(jiff::SignedDuration::from_secs(1));
    let (project, request) = (world.project, world.request);
    match act {
        ["writes", text] => {
            let text = text.replace("\\n", "\n");
            world.last_note = world.gitlab.comment_on_mr(project, request, user, &text).map_err(refused)?;
        }
        ["writes", text, "on", "the", "commit"] => {
            let text = text.replace("\\n", "\n");
            let sha = world.head.clone();
            world.last_note = world.gitlab.comment_on_commit(project, &sha, user, &text).map_err(refused)?;
        }
        ["edits", "that", "to", text] => {
            let note = world.last_note.ok_or("there is no comment")?;
            world.gitlab.edit_note(note, user, text).map_err(refused)?;
        }
        ["deletes", "that"] => {
            let note = world.last_note.ok_or("there is no comment")?;
            world.gitlab.delete_note(note, user).map_err(refused)?;
        }
        ["reacts", "to", "that"] => {
            let note = world.last_note.ok_or("there is no comment")?;
            world.gitlab.react(note, user, "thumbsup").map_err(refused)?;
        }
        ["deploys", "to", environments @ ..] => {
            let names =
                environments.iter().filter(|word| **word != "and").map(|word| word.trim_end_matches(','));
            let jobs = names.map(|n| JobSpec::new(format!("deploy {n}")).environment(n).manual()).collect();
            world.deploy(user, jobs);
        }
        ["deploys", "a", "matrix", "of", variants, "to", environment] => {
            let variants: Vec<&str> = variants.split(',').collect();
            let job = JobSpec::new("deploy").environment(*environment).manual();
            world.deploy(user, job.matrix(&variants));
        }
        ["offers", "to", "stop", environment] => {
            let job = JobSpec::new("stop").environment(*environment).action("stop").manual();
            world.deploy(user, vec![job]);
        }
        ["pushes", "a", "new", "commit"] => {
            world.commits += 1;
            world.head = format!("{:040x}", world.commits);
            world.gitlab.add_commit(project, &world.head, "Sell even more", "Dana");
            world.gitlab.push(project, request, user, &world.head).map_err(refused)?;
        }
        ["approves", environment, "in", "GitLab"] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.approve_deployment(deployment, user, None).map_err(refused)?;
        }
        ["rejects", environment, "in", "GitLab"] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.reject_deployment(deployment, user, None).map_err(refused)?;
        }
        [act @ ("plays" | "retries" | "cancels"), environment, "in", "GitLab"] => {
            let job = newest(world, environment)?.job.ok_or("it has no job")?;
            match *act {
                "plays" => drop(world.gitlab.play_job(job, user).map_err(refused)?),
                "retries" => drop(world.gitlab.retry_job(job, user).map_err(refused)?),
                _ => world.gitlab.cancel_job(job, user).map_err(refused)?,
            }
        }
        ["approves", "the", "merge", "request"] => {
            world.gitlab.approve_merge_request(project, request, user).map_err(refused)?;
        }
        ["leaves", "the", "project"] => world.gitlab.remove_member(project, user),
        ["sees", "the", "job", "of", environment, outcome @ ("succeed" | "fail")] => {
            let job = newest(world, environment)?.job.ok_or("it has no job")?;
            world.gitlab.finish_job(job, *outcome == "succeed");
        }
        ["deletes", "the", "deployment", "to", environment] => {
            let deployment = newest(world, environment)?.id;
            world.gitlab.delete_deployment(deployment);
        }
        ["deletes", "the", "environment", environment] => {
            world.gitlab.delete_environment(project, environment)
        }
        ["merges"] => {
            world.head = world.gitlab.merge(project, request, user).map_err(refused)?;
        }
        ["locks", "the", "discussion"] => {
            world.gitlab.lock_discussion(project, request, true).map_err(refused)?
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn card(world: &World) -> Result<String, String> {
    world.card().map(|card| card.body).ok_or_else(|| "there is no card".to_owned())
}

fn deployments(world: &World, environment: &str) -> Vec<DeploymentView> {
    let all = world.gitlab.deployments(world.project);
    all.into_iter().filter(|deployment| deployment.environment == environment).collect()
}

fn newest(world: &World, environment: &str) -> Result<DeploymentView, String> {
    deployments(world, environment).pop().ok_or_else(|| format!("nothing was deployed to {environment}"))
}

fn contains(text: &str, part: &str) -> Told {
    if text.contains(part) { Ok(()) } else { Err(format!("it doesn't say {part:?}, but: {text}")) }
}

fn expect(is: &str, should: &str) -> Told {
    if is == should { Ok(()) } else { Err(format!("it is {is}, not {should}")) }
}

fn number(word: &str) -> Result<u32, String> {
    let words = ["never", "once", "twice"];
    let names = ["no", "one", "two", "three", "four", "five", "six"];
    words
        .iter()
        .position(|known| *known == word)
        .or_else(|| names.iter().position(|known| *known == word))
        .map(|at| u32::try_from(at).unwrap_or_default())
        .or_else(|| word.parse().ok())
        .ok_or_else(|| format!("{word} is no number"))
}

/// Words, with what stands in quotation marks or backticks as one.
fn split(sentence: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in sentence.chars() {
        match quote {
            Some(end) if c == end => {
                words.push(std::mem::take(&mut word));
                quote = None;
            }
            Some(_) => word.push(c),
            None if c == '"' || c == '“' => quote = Some(if c == '“' { '”' } else { c }),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
