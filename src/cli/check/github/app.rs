//! The App: what it may do, what it is told of, and where it is installed.

use super::Doctor;
use crate::domain::glob::Glob;
use crate::domain::policy::{Entry, Grantee};
use crate::ports::inspect::{AppHook, AppSeen, Extent, Installation, Permissions};
use jiff::SignedDuration;

/// Deliveries that failed are spoken of for so long.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// A permission, by GitHub's name.
struct Need {
    permission: &'static str,
    extent: Extent,
    /// What goes wrong without it.
    without: &'static str,
    weight: Weight,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nothing works without it.
    Always,
    /// Something is missing without it.
    Comfort,
    /// Needed where a policy names teams.
    Teams,
}

impl Need {
    const fn new(permission: &'static str, extent: Extent, weight: Weight, without: &'static str) -> Self {
        Self { permission, extent, without, weight }
    }

    /// As GitHub's pages list it.
    fn shown(&self) -> String {
        let extent = match self.extent {
            Extent::Read => "read",
            Extent::Write => "write",
            Extent::Admin => "admin",
        };
        format!("{}: {extent}", self.permission)
    }
}

const NEEDS: [Need; 8] = [
    Need::new("deployments", Extent::Write, Weight::Always, "nothing can be released or rejected"),
    Need::new("actions", Extent::Read, Weight::Always, "runs that wait can't be seen"),
    Need::new("issues", Extent::Write, Weight::Always, "commands are neither read nor answered"),
    Need::new("pull_requests", Extent::Write, Weight::Always, "pull requests are neither found nor answered"),
    Need::new("metadata", Extent::Read, Weight::Always, "roles of people can't be read"),
    Need::new("checks", Extent::Write, Weight::Comfort, "pull requests show no buttons"),
    Need::new(
        "contents",
        Extent::Read,
        Weight::Comfort,
        "comments on commits are neither heard nor answered",
    ),
    Need::new("members", Extent::Read, Weight::Teams, "nobody is known to be in a team, so no team approves"),
];

/// What the webhook must tell of (`check_run` comes with its permission), and whether that is what people wait for.
const EVENTS: [(&str, bool); 8] = [
    ("deployment_protection_rule", true),
    ("issue_comment", true),
    ("pull_request_review", false),
    ("commit_comment", false),
    ("workflow_run", false),
    ("workflow_job", false),
    ("deployment_status", false),
    ("deployment_review", false),
];

/// Whether a permission goes at least this far.
pub(super) fn has(given: &Permissions, permission: &str, extent: Extent) -> bool {
    given.get(permission).is_some_and(|given| *given >= extent)
}

impl Doctor<'_> {
    pub(super) async fn app(&mut self) -> Option<AppSeen> {
        let name = self.on.name();
        let answer = self.forge.app().await;
        let app = self.on.read(&format!("{name}: the App"), answer)?;
        self.on.report.fine(format!("{name}: the App is @{}, number {}", app.slug, app.id));
        for need in self.lacking(&app.permissions) {
            let text = format!("{name}: the App lacks the permission `{}`: {}", need.shown(), need.without);
            let remedy = "add it on the App's settings page, and accept it where the App is installed";
            self.tell(need.weight != Weight::Comfort, text, remedy);
        }
        let missing: Vec<&(&str, bool)> =
            EVENTS.iter().filter(|(event, _)| !app.events.contains(*event)).collect();
        if !missing.is_empty() {
            let grave = missing.iter().any(|(_, awaited)| *awaited);
            let events: Vec<&str> = missing.iter().map(|(event, _)| *event).collect();
            let events = events.join(", ");
            let text = format!("{name}: the App isn't told of {events}, so that is noticed by polling alone");
            self.tell(grave, text, "subscribe to these events on the App's settings page");
        }
        Some(app)
    }

    pub(super) async fn hook(&mut self) {
        let name = self.on.name();
        let answer = self.forge.app_hook().await;
        let Some(hook) = self.on.read(&format!("{name}: the App's webhook"), answer) else { return };
        let before = self.on.report.findings();
        let Some(wanted) = self.on.hook_url() else {
            let text = format!("{name}: without `public_url` the App's webhook can't be recognised");
            self.on.report.warn(text, "set [server] public_url to the address that GitHub reaches us by");
            return;
        };
        if hook.url.as_deref().map(|url| url.trim_end_matches('/')) != Some(&wanted) {
            let text = format!(
                "{name}: the App's webhook doesn't go to {wanted}: buttons do nothing, and everything else is \
                 noticed by polling alone"
            );
            self.on.report.find(text, "set this address on the App's settings page, and tick \"Active\"");
        }
        self.judge_proof(&hook);
        if self.on.report.findings() == before {
            self.on.report.fine(format!("{name}: the App's webhook is in order"));
        }
    }

    fn judge_proof(&mut self, hook: &AppHook) {
        let name = self.on.name();
        if !hook.json {
            let text = format!("{name}: the App's webhook sends forms, not JSON: every delivery is refused");
            self.on.report.find(text, "set its content type to application/json");
        }
        if !hook.signed {
            let text = format!("{name}: the App's webhook has no secret: every delivery is refused");
            self.on.report.find(text, "set one of `webhook_secrets` on the App's settings page");
        }
        if hook.insecure {
            let text = format!("{name}: GitHub doesn't look at our certificate before it sends");
            self.on.report.warn(text, "enable SSL verification on the App's settings page");
        }
    }

    pub(super) async fn missed_deliveries(&mut self) {
        let name = self.on.name();
        let answer = self.forge.failed(self.on.clock.now() - LATELY).await;
        let Some(missed) = self.on.read(&format!("{name}: the log of deliveries"), answer) else { return };
        if !missed.is_empty() {
            let text = format!("{name}: {} deliveries of the last day never arrived well", missed.len());
            let remedy = "see under \"Advanced\" on the App's settings page why; `serve` asks for them again";
            self.on.report.warn(text, remedy);
        }
    }

    /// The installations that the policies speak of; `None` where there is nothing further to look at.
    pub(super) async fn installations(&mut self, app: &AppSeen) -> Option<Vec<Installation>> {
        let name = self.on.name();
        let answer = self.forge.installations().await;
        let mut installed = self.on.read(&format!("{name}: where the App is installed"), answer)?;
        let entries = self.on.entries();
        installed.retain(|place| {
            place.account.as_ref().is_some_and(|account| entries.iter().any(|entry| concerns(entry, account)))
        });
        if installed.is_empty() {
            let text = format!("{name}: the App isn't installed with any owner whom the policies name");
            self.on.report.find(text, "install it from its settings page, or correct `project`");
            return None;
        }
        for place in &installed {
            self.installation(app, place);
        }
        Some(installed)
    }

    fn installation(&mut self, app: &AppSeen, place: &Installation) {
        let (name, account) = (self.on.name(), place.account.as_deref().unwrap_or_default());
        if place.suspended {
            let text = format!("{name}: the App is suspended by {account}, so nothing there is decided");
            self.on.report.find(text, "let its owner unsuspend it on the installation's page");
            return;
        }
        for need in self.lacking(&place.permissions) {
            // What the App doesn't even ask for was found already.
            if has(&app.permissions, need.permission, need.extent) {
                let (shown, without) = (need.shown(), need.without);
                let text = format!("{name}: {account} hasn't accepted the permission `{shown}`: {without}");
                let remedy = "let its owner accept the new permissions on the installation's page";
                self.tell(need.weight != Weight::Comfort, text, remedy);
            }
        }
    }

    fn lacking(&self, given: &Permissions) -> Vec<&'static Need> {
        let teams = self.on.grantees().iter().any(|grantee| matches!(grantee, Grantee::Team(_)));
        let wanted = |need: &&Need| need.weight != Weight::Teams || teams;
        NEEDS.iter().filter(wanted).filter(|need| !has(given, need.permission, need.extent)).collect()
    }

    fn tell(&mut self, grave: bool, text: String, remedy: &str) {
        if grave {
            self.on.report.find(text, remedy);
        } else {
            self.on.report.warn(text, remedy);
        }
    }
}

/// Whether an entry may speak of something that this account owns.
fn concerns(entry: &Entry, account: &str) -> bool {
    let owner = entry.project.as_str().split('/').next().unwrap_or_default();
    owner.contains("**") || Glob::new(owner).is_ok_and(|owner| owner.without_case().matches(account))
}
