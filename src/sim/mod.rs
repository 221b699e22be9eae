//! The twin of the outside world: a stateful GitLab and a stateful GitHub over real HTTP, quirks included; a Slack and
//! a Mattermost beside them, for what is to come.
//!
//! The tests and the `demo` command run on it. It shares no type with the adapters and imports nothing of the
//! rest of this crate, so a wrong belief about a forge must be written down twice to go unnoticed.
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign::sim::clock::HandClock;
//! use countersign::sim::gitlab::{ApprovalRule, GitLab, JobSpec, Level, NewHook, NewPipeline, ProtectedEnvironment};
//!
//! let clock = HandClock::at("2026-05-08T10:00:00Z".parse()?);
//! let gitlab = GitLab::new(clock.now());
//! let url = gitlab.start().await?; // http://127.0.0.1:PORT
//! let shop = gitlab.add_project("acme/shop");
//! let dana = gitlab.add_user("dana", "Dana");
//! gitlab.add_member(shop, dana, Level::MAINTAINER);
//! let rule = ApprovalRule::level(Level::MAINTAINER, 1);
//! gitlab.protect_environment(shop, ProtectedEnvironment::new("production").deployers(Level::DEVELOPER).rule(rule));
//! gitlab.add_hook(shop, NewHook::new("http://127.0.0.1:8080/hooks/gitlab").every_event().token("secret"));
//! let iid = gitlab.open_merge_request(shop, dana, "feature", "Sell more");
//! let deploy = JobSpec::new("deploy").environment("production").manual();
//! let pipeline = gitlab.run_pipeline(shop, NewPipeline::new("main", "9f1c", dana).job(deploy));
//! let job = gitlab.job_named(pipeline, "deploy").ok_or("no such job")?;
//! let note = gitlab.comment_on_mr(shop, iid, dana, "/deploy approve production")?;
//! gitlab.deliver_hooks().await; // nothing is sent by itself unless `set_auto_deliver(true)`
//! assert_eq!((gitlab.plays(job), gitlab.notes_of(shop, iid).len()), (0, 1));
//! # let _ = (url, note); Ok(()) }
//! ```

pub mod clock;
mod exchange;
pub mod faults;
pub mod github;
pub mod gitlab;
mod history;
mod ids;
pub mod mattermost;
mod percent;
mod post;
mod server;
pub mod slack;
