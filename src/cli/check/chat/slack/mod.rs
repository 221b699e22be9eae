//! What only Slack has: a workspace, and scopes.

use super::Doctor;
use crate::config::Slack;
use crate::ports::inspect::ChatCredential;

/// A scope of the bot's token.
pub(super) struct Need {
    pub(super) scope: &'static str,
    /// Nothing works without it.
    grave: bool,
    /// What goes wrong without it.
    without: &'static str,
}

impl Need {
    const fn new(scope: &'static str, grave: bool, without: &'static str) -> Self {
        Self { scope, grave, without }
    }
}

pub(super) const USERS: &str = "users:read";
pub(super) const CHANNELS: &str = "channels:read";
pub(super) const PRIVATE_CHANNELS: &str = "groups:read";
/// Lets the bot write where it is no member.
pub(super) const WRITE_ANYWHERE: &str = "chat:write.public";

pub(super) const NEEDS: [Need; 7] = [
    Need::new("commands", true, "nobody can type the slash command"),
    Need::new("chat:write", true, "nothing is told"),
    Need::new(USERS, true, "nobody can be told from a guest or a foreigner, so nobody decides"),
    Need::new("channels:history", false, "a message whose answer was lost may be posted twice"),
    Need::new(
        "groups:history",
        false,
        "a message whose answer was lost may be posted twice in private channels",
    ),
    Need::new(CHANNELS, false, "the check can't look at channels"),
    Need::new(PRIVATE_CHANNELS, false, "the check can't look at private channels"),
];

/// Whether the token has a scope; where that isn't told, it is believed.
pub(super) fn has(token: &ChatCredential, scope: &str) -> bool {
    token.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|known| known == scope))
}

impl Doctor<'_> {
    pub(super) fn slack(&mut self, settings: &Slack, token: &ChatCredential) {
        self.workspace(settings, token);
        let name = self.name();
        if token.scopes.is_none() {
            self.report.note(format!("{name}: Slack doesn't tell the scopes of the token"));
        }
        for Need { scope, grave, without } in NEEDS.iter().filter(|need| !has(token, need.scope)) {
            let text = format!("{name}: the token lacks the scope `{scope}`: {without}");
            let remedy = "add it on the app's page under \"OAuth & Permissions\", and install the app again";
            if *grave {
                self.report.find(text, remedy);
            } else {
                self.report.warn(text, remedy);
            }
        }
    }

    fn workspace(&mut self, settings: &Slack, token: &ChatCredential) {
        let name = self.name();
        let Some(team) = &token.team else {
            self.report.note(format!("{name}: Slack doesn't tell which workspace the app is installed in"));
            return;
        };
        if settings.team_ids.contains(team) {
            self.report.fine(format!("{name}: the app is installed in the workspace {team}"));
        } else if settings.team_ids.iter().any(|id| id.starts_with('E')) {
            let text = format!(
                "{name}: whether the workspace {team} is of an organisation in `team_ids` isn't told"
            );
            self.report.note(text);
        } else {
            let text = format!(
                "{name}: the app is installed in the workspace {team}, which isn't in `team_ids`: everybody there is \
                 refused"
            );
            self.report.find(
                text,
                format!("add \"{team}\" to `team_ids`, or install the app where it is meant to be"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
