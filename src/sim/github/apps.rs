//! Apps, their keys, where they are installed and what they may do there.

use super::{AppId, GitHub, InstallationId, RepositoryId, UserId};

/// An App as its owner knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// Id, the `iss` of its JWT.
    pub id: AppId,
    /// Slug; its account is `slug[bot]`.
    pub slug: String,
    /// The account `slug[bot]`.
    pub bot: UserId,
    /// RSA-2048, PKCS#8 in PEM.
    pub private_key_pem: String,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.id).field("slug", &self.slug).finish_non_exhaustive()
    }
}

impl GitHub {
    /// Registers an App with a new key, told of every event. Its permissions at first: write on deployments,
    /// issues, pull requests and checks; read on actions, members and metadata.
    pub fn register_app(&self, slug: &str) -> App {
        todo!()
    }

    /// Installs an App on all repositories of an organisation or person.
    pub fn install(&self, app: AppId, account: UserId) -> InstallationId {
        todo!()
    }

    /// Removes an installation.
    pub fn uninstall(&self, installation: InstallationId) {
        todo!()
    }

    /// Limits an installation to these repositories; `None` is all of them.
    pub fn select_repositories(&self, installation: InstallationId, selected: Option<&[RepositoryId]>) {
        todo!()
    }

    /// Suspends an installation (its tokens are refused, nothing is delivered) or takes that back.
    pub fn suspend(&self, installation: InstallationId, on: bool) {
        todo!()
    }

    /// Sets some of an App's permissions, such as `("members", "read")`; `none` takes one away. Every installation
    /// accepts at once.
    pub fn set_permissions(&self, app: AppId, permissions: &[(&str, &str)]) {
        todo!()
    }

    /// The events that an App is told of, beside those about its own installations.
    pub fn set_events(&self, app: AppId, events: &[&str]) {
        todo!()
    }

    /// Where an App's deliveries go. GitHub pings the address.
    pub fn set_hook_url(&self, app: AppId, url: &str) {
        todo!()
    }

    /// What an App's deliveries are signed with from now on.
    pub fn set_webhook_secret(&self, app: AppId, secret: &str) {
        todo!()
    }
}
