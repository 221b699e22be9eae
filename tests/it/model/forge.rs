//! The forge behind its port, in memory: GitLab's order of things, and one gate that asks us, as GitHub has it.

use super::book::Fact;
use super::plan::Call;
use super::scene::{Scene, Stage};
use super::world::{Deployed, Human, Job, ME, PROJECT, World, Written};
use async_trait::async_trait;
use countersign::domain::actor::Account;
use countersign::domain::deployment::Description;
use countersign::domain::facts::Person;
use countersign::domain::id::{
    CommentRef, Conversation, DeploymentId, ForgeName, Native, Place, Project, ProjectId, UserId,
};
use countersign::domain::ledger::Word;
use countersign::domain::notice::Changes;
use countersign::domain::policy::{Gate, Grantee, Rule};
use countersign::domain::wording::{Prose, Terms};
use countersign::ports::failure::{Failure, Refusal};
use countersign::ports::forge::{
    ActiveProject, Approvals, Buttons, Comment, Gatekeeper, GroupRef, JobSeen, Landed, Lookup, Member,
    MergeRequest, OwnVote, PersonsVote, Posted, Progress, Sighting, Talk,
};
use jiff::Timestamp;

type Answer<T> = Result<T, Failure>;

const GROUPS: [&str; 2] = ["acme/qa", "acme/sre"];

pub(super) struct ModelForge {
    pub(super) scene: Scene,
    pub(super) name: ForgeName,
}

impl ModelForge {
    async fn read<T>(&self, act: impl FnOnce(&World) -> Answer<T> + Send) -> Answer<T> {
        self.scene.call(Call::Read, |stage| act(&stage.world)).await
    }

    /// A deed at the gate. Whether it was done may not be known afterwards.
    async fn at_the_gate<T>(
        &self,
        (call, native): (Call, &str),
        act: impl FnOnce(&mut Stage, usize) -> Answer<T> + Send,
    ) -> Answer<T> {
        let done = |stage: &mut Stage| place(stage, native).and_then(|index| act(stage, index));
        let outcome = self.scene.call(call, done).await;
        if let Err(Failure::UnknownOutcome { .. }) = outcome {
            let stage = &mut *self.scene.lock();
            let key = DeploymentId::new(&self.name, PROJECT, &Native::new(native));
            stage.book.is_unknown(key.as_str(), stage.world.clock.time());
        }
        outcome
    }

    async fn sightings(&self, wanted: impl Fn(&Deployed) -> bool + Send + Sync) -> Answer<Vec<Sighting>> {
        self.read(|world| {
            let waiting = world.deployments.iter().rev().filter(|one| one.job == Job::Manual && !one.gone);
            let wanted = waiting.filter(|one| wanted(one));
            Ok(wanted.map(|one| Sighting { approvals: None, ..sighting(world, one) }).collect())
        })
        .await
    }
}

fn project() -> Project {
    Project { id: PROJECT, path: "acme/shop".to_owned() }
}

fn sighting(world: &World, one: &Deployed) -> Sighting {
    let asked = world.law.of(one.environment);
    let bots = Rule { grantees: vec![Grantee::UserId(UserId(ME))], required_approvals: 1, label: None };
    let pending = world.pending(one);
    let approvals = Approvals { pending, rules: vec![bots], votes: one.votes.clone() };
    let user = one.played_by.filter(|_| asked.gate != Gate::ProtectionRule);
    Sighting {
        native: one.native(),
        number: Some(one.number),
        order: one.number,
        environment: one.environment.to_owned(),
        sha: one.sha.clone(),
        ref_name: "sell-more".to_owned(),
        merge_request: Some(one.request),
        title: None,
        run: one.run,
        job: Some(JobSeen {
            id: one.number,
            name: format!("deploy {}", one.number),
            manual: one.job == Job::Manual,
            started: one.ran,
            user: user.map(|id| world.human(id).account()),
        }),
        url: None,
        started_by: vec![world.human(one.by).account()],
        created_at: one.created_at,
        updated_at: one.updated_at,
        state: match one.job {
            Job::Manual => Progress::Waiting,
            Job::Running => Progress::Running,
            Job::Success => Progress::Succeeded,
            Job::Failed => Progress::Failed,
            Job::Cancelled => Progress::Cancelled,
        },
        held_by_others: false,
        approvals: (asked.gate == Gate::Native).then_some(approvals),
    }
}

fn comment(world: &World, one: &Written) -> Comment {
    Comment {
        at: one.at(),
        author: UserId(one.by),
        username: world.human(one.by).name.to_owned(),
        text: one.text.clone(),
        created_at: one.created_at,
        updated_at: one.updated_at,
        system: false,
        about: None,
    }
}

fn somebody(world: &World, id: UserId) -> Answer<&Human> {
    world.people.iter().find(|human| human.id == id.0).ok_or(Failure::NotFound)
}

fn members(world: &World, wanted: impl Fn(&Human) -> bool) -> Vec<Account> {
    let wanted = world.people.iter().filter(|human| human.active && wanted(human));
    wanted.map(Human::account).collect()
}

#[async_trait]
impl Lookup for ModelForge {
    fn name(&self) -> &ForgeName {
        &self.name
    }

    async fn me(&self) -> Answer<Account> {
        self.read(|world| Ok(world.human(ME).account())).await
    }

    fn reach_changed(&self) {}

    async fn project(&self, _: ProjectId) -> Answer<Project> {
        self.read(|_| Ok(project())).await
    }

    async fn project_at(&self, _: &str) -> Answer<Project> {
        self.read(|_| Ok(project())).await
    }

    async fn active_projects(&self, _: Timestamp) -> Answer<Vec<ActiveProject>> {
        self.read(|world| Ok(vec![ActiveProject { project: project(), active_at: world.clock.time() }])).await
    }

    async fn waiting(&self, _: ProjectId) -> Answer<Vec<Sighting>> {
        self.sightings(|_| true).await
    }

    async fn waiting_in(
        &self,
        _: ProjectId,
        environment: &str,
        _: Option<Timestamp>,
    ) -> Answer<Vec<Sighting>> {
        self.sightings(|one| one.environment == environment).await
    }

    async fn waiting_in_run(&self, _: ProjectId, run: i64) -> Answer<Vec<Sighting>> {
        self.sightings(|one| one.run == run).await
    }

    async fn newest_started(&self, _: ProjectId, environment: &str) -> Answer<Option<Sighting>> {
        self.read(|world| {
            let is_started = |one: &&Deployed| matches!(one.job, Job::Running | Job::Success) && !one.gone;
            let mut here = world.deployments.iter().filter(|one| one.environment == environment);
            Ok(here.rfind(is_started).map(|one| sighting(world, one)))
        })
        .await
    }

    async fn deployment(&self, _: ProjectId, native: &Native) -> Answer<Sighting> {
        self.scene
            .call(Call::Read, |stage| {
                stage.book.was_read(Fact::Deployment(native.clone()));
                let world = &stage.world;
                world.deployed(native.as_str()).map(|one| sighting(world, one)).ok_or(Failure::NotFound)
            })
            .await
    }

    fn numbered(&self, number: i64) -> Option<Native> {
        Some(Native::new(number.to_string()))
    }

    async fn other_starters(&self, _: ProjectId, _: &Native) -> Answer<Vec<Account>> {
        Ok(Vec::new())
    }

    async fn carrier(&self, _: ProjectId, _: &Sighting) -> Answer<Option<i64>> {
        Ok(None)
    }

    async fn merge_request(&self, _: ProjectId, number: i64) -> Answer<MergeRequest> {
        self.read(|world| {
            let author = world.people.iter().find(|human| human.name == super::world::CREATOR_STANDS_IN);
            Ok(MergeRequest {
                number,
                head_sha: String::new(),
                target_branch: "main".to_owned(),
                merged_as: Vec::new(),
                open: true,
                author: author.map(|human| UserId(human.id)),
                merged_by: None,
            })
        })
        .await
    }

    async fn member(&self, _: ProjectId, user: UserId) -> Answer<Member> {
        self.scene
            .call(Call::Person, |stage| {
                stage.book.was_read(Fact::Person(user.0));
                let human = somebody(&stage.world, user)?;
                let person = Person { account: human.account(), active: human.active };
                Ok(Member { person, level: human.level })
            })
            .await
    }

    async fn account(&self, user: UserId) -> Answer<Account> {
        self.read(|world| somebody(world, user).map(Human::account)).await
    }

    async fn user_named(&self, username: &str) -> Answer<Option<Account>> {
        self.read(|world| Ok(world.people.iter().find(|human| human.name == username).map(Human::account)))
            .await
    }

    async fn group_id(&self, path: &str) -> Answer<i64> {
        let found = GROUPS.iter().position(|group| *group == path).ok_or(Failure::NotFound);
        self.read(|_| found.map(|index| i64::try_from(index).unwrap())).await
    }

    async fn is_group_member(&self, group: GroupRef<'_>, _: bool, user: UserId) -> Answer<bool> {
        let path = GROUPS[usize::try_from(group.id).unwrap()];
        self.scene
            .call(Call::Person, |stage| {
                let human = somebody(&stage.world, user)?;
                Ok(human.active && human.groups.contains(path))
            })
            .await
    }

    async fn changes(&self, _: &Project, _: &str, _: &str) -> Answer<Changes> {
        Ok(Changes::default())
    }

    async fn members_from(&self, _: ProjectId, level: i32) -> Answer<Option<Vec<Account>>> {
        self.read(|world| Ok(Some(members(world, |human| human.level >= level)))).await
    }

    async fn group_members(&self, group: &str, _: bool) -> Answer<Option<Vec<Account>>> {
        self.read(|world| Ok(Some(members(world, |human| human.groups.contains(group))))).await
    }
}

fn place(stage: &Stage, native: &str) -> Answer<usize> {
    let found = stage.world.deployments.iter().position(|one| one.number.to_string() == native && !one.gone);
    found.ok_or(Failure::NotFound)
}

#[async_trait]
impl Gatekeeper for ModelForge {
    async fn vote(&self, deployment: &Description, vote: &OwnVote) -> Answer<Landed> {
        self.at_the_gate((Call::Vote, deployment.native.as_str()), |stage, index| {
            let Stage { world, book, .. } = stage;
            let one = &world.deployments[index];
            let ours = one.votes.iter().find(|cast| cast.by.0 == ME).map(|cast| cast.word);
            if vote.again && ours == Some(vote.word) {
                return Ok(Landed::Here);
            }
            book.votes(world, one, (vote.word, ours));
            let asks_us = world.law.of(one.environment).gate == Gate::ProtectionRule;
            if one.job != Job::Manual || ours.is_some() {
                let kept = ours == Some(vote.word) && !asks_us;
                return if kept { Ok(Landed::Here) } else { Err(Failure::Refused(Refusal::NotWaiting)) };
            }
            world.vote(index, ME, vote.word);
            if asks_us && vote.word == Word::Approved {
                world.set_job(index, Job::Running);
                world.deployments[index].played_by = Some(ME);
            }
            Ok(Landed::Here)
        })
        .await
    }

    async fn report(&self, _: &Description, _: &str) -> Answer<()> {
        Ok(())
    }

    async fn vote_as(&self, _: &Description, _: &PersonsVote) -> Answer<()> {
        panic!("nobody votes in a person's name here");
    }

    async fn play(&self, _: ProjectId, job: i64) -> Answer<()> {
        self.at_the_gate((Call::Play, &job.to_string()), |stage, index| {
            let Stage { world, book, .. } = stage;
            let one = &world.deployments[index];
            book.plays(world, one);
            if one.job != Job::Manual || world.pending(one) > 0 {
                return Err(Failure::Refused(Refusal::Unplayable));
            }
            world.set_job(index, Job::Running);
            world.deployments[index].played_by = Some(ME);
            Ok(())
        })
        .await
    }

    async fn cancel(&self, _: ProjectId, job: i64) -> Answer<()> {
        self.at_the_gate((Call::Cancel, &job.to_string()), |stage, index| {
            let Stage { world, book, .. } = stage;
            book.cancels(&world.deployments[index]);
            if world.deployments[index].job != Job::Manual {
                return Err(Failure::Refused(Refusal::Unplayable));
            }
            world.set_job(index, Job::Cancelled);
            Ok(())
        })
        .await
    }
}

fn request(at: &Conversation) -> i64 {
    match &at.place {
        Place::MergeRequest(number) => *number,
        Place::Commit(_) => panic!("nothing stands on a commit here"),
    }
}

fn marked(marker: &str) -> String {
    format!("<!-- {marker} -->")
}

fn says(stage: &mut Stage, at: &Conversation, text: &str) -> Posted {
    let index = stage.world.say(ME, request(at), text.to_owned(), Vec::new());
    let said = &stage.world.comments[index];
    Posted { comment: said.id, at: said.created_at }
}

#[async_trait]
impl Talk for ModelForge {
    async fn comment(&self, at: &CommentRef) -> Answer<Option<Comment>> {
        self.read(|world| {
            Ok(world.comment(at.comment).filter(|one| !one.deleted).map(|one| comment(world, one)))
        })
        .await
    }

    async fn comments_since(&self, at: &Conversation, since: Timestamp) -> Answer<Vec<Comment>> {
        let request = request(at);
        self.read(|world| {
            let here = world.comments.iter().filter(|one| one.request == request && !one.deleted);
            Ok(here.filter(|one| one.created_at > since).map(|one| comment(world, one)).collect())
        })
        .await
    }

    async fn find_own(&self, at: &Conversation, marker: &str) -> Answer<Vec<i64>> {
        let (request, marker) = (request(at), marked(marker));
        self.read(|world| {
            let ours = world.comments.iter().rev().filter(|one| one.by == ME && !one.deleted);
            let found = ours.filter(|one| one.request == request && one.text.contains(&marker));
            Ok(found.map(|one| one.id).collect())
        })
        .await
    }

    async fn reply(&self, to: &CommentRef, _: &Account, text: &str) -> Answer<Posted> {
        self.scene.call(Call::Talk, |stage| Ok(says(stage, &to.conversation, text))).await
    }

    async fn post(&self, at: &Conversation, text: &str) -> Answer<Posted> {
        self.scene.call(Call::Talk, |stage| Ok(says(stage, at, text))).await
    }

    async fn edit(&self, _: &Conversation, comment: i64, text: &str) -> Answer<Posted> {
        self.scene
            .call(Call::Talk, |stage| {
                let at = stage.world.tick();
                let comments = &mut stage.world.comments;
                let one = comments.iter_mut().find(|one| one.id == comment && !one.deleted);
                let one = one.ok_or(Failure::NotFound)?;
                (one.text, one.updated_at) = (text.to_owned(), at);
                Ok(Posted { comment, at })
            })
            .await
    }

    fn terms(&self) -> Terms {
        Terms { forge: "GitLab", request: "merge request", pipeline: "pipeline" }
    }

    fn render(&self, prose: &Prose, marker: &str) -> String {
        format!("{prose:?}\n{}", marked(marker))
    }

    async fn delete(&self, _: &Conversation, comment: i64) -> Answer<()> {
        self.scene
            .call(Call::Talk, |stage| {
                let found = stage.world.comments.iter_mut().find(|one| one.id == comment);
                found.ok_or(Failure::NotFound)?.deleted = true;
                Ok(())
            })
            .await
    }

    async fn react(&self, to: &CommentRef) -> Answer<()> {
        self.scene
            .call(Call::React, |stage| {
                let now = stage.world.tick();
                let found = stage.world.comments.iter_mut().find(|one| one.id == to.comment && !one.deleted);
                let one = found.ok_or(Failure::NotFound)?;
                (one.reactions, one.updated_at) = (1, now);
                Ok(())
            })
            .await
    }

    async fn sync_buttons(&self, _: &Conversation, _: &Buttons) -> Answer<()> {
        Ok(())
    }
}
