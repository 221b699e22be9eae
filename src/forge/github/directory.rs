//! Who is where: which installation reaches which repository, under which name; and accounts.
//!
//! Repositories are known by their numbers. Their names and installations are read from GitHub, and again when a
//! number isn't known, when a hook says that something has changed, or when GitHub says that a name is old.

use super::access::{Caller, InstallationId};
use super::client::{Client, read};
use super::failure::Trouble;
use super::wire::{App, Installation, Repositories, Repository, User};
use crate::domain::actor::Account;
use crate::domain::id::{ProjectId, UserId};
use crate::net::http::Answer;
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use jiff::{SignedDuration, Timestamp};
use moka::future::Cache;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Between two readings of everything.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// A reading as old as this still answers what is gone.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// Pages read of installations, and of the repositories of one.
const PAGES: usize = 1000;
/// As how many installations something is asked that every one of them may read.
const MOST_ASKED: usize = 3;
/// How many accounts' names and bot marks are kept, and for how long.
const KEPT_ACCOUNTS: u64 = 10_000;
const KEPT_FOR: Duration = Duration::from_hours(6);

/// A repository, where it was when it was last looked for.
#[derive(Clone, Debug)]
pub(super) struct Repo {
    pub(super) id: ProjectId,
    pub(super) installation: InstallationId,
    pub(super) owner: String,
    pub(super) name: String,
    /// Everything else, as of then.
    pub(super) seen: Repository,
}

impl Repo {
    fn new(installation: InstallationId, seen: Repository) -> Option<Self> {
        let (owner, name) = seen.full_name.split_once('/')?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        Some(Self { id: ProjectId(seen.id), installation, owner, name, seen })
    }

    /// `owner/name`.
    pub(super) fn path(&self) -> &str {
        &self.seen.full_name
    }
}

/// The App's own word of itself.
#[derive(Clone, Debug)]
pub(super) struct Me {
    /// The account that our comments bear: its name is the App's slug, without GitHub's `[bot]`.
    pub(super) account: Account,
    /// The App's number.
    pub(super) app: i64,
}

#[derive(Default)]
struct Known {
    repos: HashMap<ProjectId, Arc<Repo>>,
    installations: BTreeMap<InstallationId, Arc<Installation>>,
    /// Those whose repositories the last reading couldn't read: what was known of them stays.
    unread: BTreeMap<InstallationId, Failure>,
    /// When everything was last read, or tried to be, and why the installations couldn't even be listed.
    tried: Option<(Timestamp, Option<Failure>)>,
    /// How many changes were told of, and how many of them a reading has seen.
    changes: u64,
    changes_seen: u64,
}

impl Known {
    fn is_outdated(&self) -> bool {
        self.changes != self.changes_seen
    }

    /// Installations that aren't suspended, those first that could be read.
    fn active(&self) -> Vec<InstallationId> {
        let active = self.installations.iter().filter(|(_, found)| found.suspended_at.is_none());
        let mut active: Vec<InstallationId> = active.map(|(id, _)| *id).collect();
        active.sort_by_key(|id| self.unread.contains_key(id));
        active
    }
}

/// What we know of who is where.
pub(super) struct Directory {
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Held while everything is read.
    reading: tokio::sync::Mutex<()>,
    accounts: Cache<UserId, Account>,
    me: OnceCell<Me>,
}

impl Directory {
    pub(super) fn new(client: Arc<Client>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            clock,
            known: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            accounts: Cache::builder().max_capacity(KEPT_ACCOUNTS).time_to_live(KEPT_FOR).build(),
            me: OnceCell::new(),
        }
    }

    /// Where a repository is. `NotFound`: in none of the App's installations, by a reading made for this
    /// question or just before it; `HeldBack` where it is too soon for one.
    pub(super) async fn repo(&self, id: ProjectId) -> Result<Arc<Repo>, Failure> {
        self.look_up(id).await
    }

    /// The repository with this `owner/name`, in upper or lower case. `NotFound`: in none of the App's
    /// installations, as read at most half a minute ago. A name is asked for again and again, so nothing hangs on
    /// that half minute; several that aren't there must not hold each other up.
    pub(super) async fn repo_at(&self, path: &str) -> Result<Arc<Repo>, Failure> {
        let named =
            |known: &Known| known.repos.values().find(|repo| repo.path().eq_ignore_ascii_case(path)).cloned();
        if let Some(found) = self.peek(named) {
            return Ok(found);
        }
        self.bring_up_to_date().await?;
        self.peek(named).ok_or(Failure::NotFound)
    }

    /// The installation of an account, by its login, with what its owner consented to; one that isn't known is looked for at most every half minute.
    pub(super) async fn installation_of(&self, owner: &str) -> Result<Option<Arc<Installation>>, Failure> {
        let is_theirs = |found: &&Arc<Installation>| {
            let login = found.account.as_ref().and_then(|account| account.login.as_deref());
            login.is_some_and(|login| login.eq_ignore_ascii_case(owner))
        };
        let find = |known: &Known| known.installations.values().find(is_theirs).cloned();
        if let Some(found) = self.peek(|known| find(known).filter(|_| !known.is_outdated())) {
            return Ok(Some(found));
        }
        self.bring_up_to_date().await?;
        Ok(self.peek(find))
    }

    /// All repositories, as read at most half a minute ago.
    pub(super) async fn repos(&self) -> Result<Vec<Arc<Repo>>, Failure> {
        self.bring_up_to_date().await?;
        Ok(self.peek(|known| known.repos.values().cloned().collect()))
    }

    /// All installations, suspended ones too, as read at most half a minute ago.
    pub(super) async fn installations(&self) -> Result<Vec<Arc<Installation>>, Failure> {
        self.bring_up_to_date().await?;
        Ok(self.peek(|known| known.installations.values().cloned().collect()))
    }

    /// Installations, their permissions or repositories have changed: the next question reads everything anew.
    pub(super) fn expect_change(&self) {
        self.change(|known| known.changes += 1);
    }

    /// Looks again for a repository whose address turned out to be old.
    pub(super) async fn renew(&self, repo: &Repo) -> Result<Arc<Repo>, Failure> {
        let caller = Caller::Installation(repo.installation);
        let answer = self.client.get(caller, &["repositories", &repo.id.0.to_string()], &[]).await;
        match answer {
            Ok(answer) => self.moved(repo.installation, read(&answer)?),
            Err(Trouble::Stale(_) | Trouble::Failed(Failure::NotFound)) => {
                self.change(|known| known.repos.remove(&repo.id));
                self.repo(repo.id).await
            }
            Err(Trouble::Failed(failure)) => Err(failure),
        }
    }

    fn moved(&self, installation: InstallationId, seen: Repository) -> Result<Arc<Repo>, Failure> {
        let repo = Arc::new(Repo::new(installation, seen).ok_or_else(nameless)?);
        self.change(|known| known.repos.insert(repo.id, Arc::clone(&repo)));
        Ok(repo)
    }

    /// Who we are.
    pub(super) async fn me(&self) -> Result<Me, Failure> {
        let me = self.me.get_or_try_init(|| async {
            let app: App = read(&self.client.get(Caller::App, &["app"], &[]).await?)?;
            let login = format!("{}[bot]", app.slug);
            let user = self.ask(&["users", &login]).await?;
            let id = UserId(read::<User>(&user)?.id);
            Ok(Me { account: Account { id, username: app.slug, bot: true }, app: app.id })
        });
        me.await.cloned()
    }

    /// Keeps what an answer said of an account.
    pub(super) async fn remember(&self, user: &User) -> Account {
        let account = user.account();
        self.accounts.insert(account.id, account.clone()).await;
        account
    }

    /// An account by its number, as seen in the last hours or read now.
    pub(super) async fn account(&self, id: UserId) -> Result<Account, Failure> {
        if let Some(account) = self.accounts.get(&id).await {
            return Ok(account);
        }
        self.account_now(id).await
    }

    /// An account by its number, read now.
    pub(super) async fn account_now(&self, id: UserId) -> Result<Account, Failure> {
        let user = self.ask(&["user", &id.0.to_string()]).await?;
        Ok(self.remember(&read(&user)?).await)
    }

    /// An account by its login, read now.
    pub(super) async fn account_named(&self, login: &str) -> Result<Option<Account>, Failure> {
        match self.ask(&["users", login]).await {
            Ok(user) => Ok(Some(self.remember(&read(&user)?).await)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Asks as some installation for what every one of them may read. Where one turns out to be gone, refused or
    /// at its limit, that is no answer, and another one is tried.
    async fn ask(&self, path: &[&str]) -> Result<Answer, Failure> {
        let mut held = None;
        for id in self.anyone().await? {
            match self.client.get(Caller::Installation(id), path, &[]).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Failed(failure @ Failure::HeldBack { .. })) => held = Some(failure),
                Err(
                    Trouble::Stale(_)
                    | Trouble::Failed(Failure::Unauthorized(_) | Failure::Refused(Refusal::NoPermission)),
                ) => self.expect_change(),
                Err(Trouble::Failed(failure)) => return Err(failure),
            }
        }
        Err(held.unwrap_or_else(|| unavailable("no installation of the App may ask for that now")))
    }

    /// Some active installations.
    async fn anyone(&self) -> Result<Vec<InstallationId>, Failure> {
        if self.peek(|known| known.is_outdated() || known.active().is_empty()) {
            self.bring_up_to_date().await?;
        }
        let mut active = self.peek(Known::active);
        active.truncate(MOST_ASKED);
        if active.is_empty() {
            return Err(unavailable("the App isn't installed anywhere, or everywhere suspended"));
        }
        Ok(active)
    }
}

/// Reading everything.
impl Directory {
    async fn look_up(&self, id: ProjectId) -> Result<Arc<Repo>, Failure> {
        let good = |known: &Known| known.repos.get(&id).filter(|_| !known.is_outdated()).cloned();
        if let Some(found) = self.peek(good) {
            return Ok(found);
        }
        let _alone = self.reading.lock().await;
        if let Some(found) = self.peek(good) {
            return Ok(found);
        }
        let read = match self.too_soon() {
            Some(Failure::HeldBack { .. }) if self.peek(|known| self.is_fresh(known)) => Ok(()),
            Some(failure) => Err(failure),
            None => self.read_all().await,
        };
        let found = self.peek(|known| known.repos.get(&id).cloned());
        found.map_or_else(|| Err(read.err().unwrap_or_else(|| self.absent())), Ok)
    }

    /// What isn't in a reading is gone, unless it may be where we can't look.
    pub(super) fn absent(&self) -> Failure {
        let suspended = |known: &Known| known.installations.values().any(|one| one.suspended_at.is_some());
        if self.peek(|known| suspended(known) || !known.unread.is_empty()) {
            return unavailable("it isn't found, and not every installation of the App can be read");
        }
        Failure::NotFound
    }

    /// Reads everything, unless that was done just now.
    pub(super) async fn bring_up_to_date(&self) -> Result<(), Failure> {
        let _alone = self.reading.lock().await;
        match self.too_soon() {
            Some(Failure::HeldBack { .. }) => Ok(()),
            Some(failure) => Err(failure),
            None => self.read_all().await,
        }
    }

    /// Whether everything was read so lately that it answers this question as well: several questions about
    /// what is gone come together, and each would otherwise have to wait for a reading of its own.
    fn is_fresh(&self, known: &Known) -> bool {
        let complete = known.tried.as_ref().filter(|(_, failure)| failure.is_none());
        let since = complete.map(|(at, _)| self.clock.now().duration_since(*at).abs());
        !known.is_outdated() && since.is_some_and(|since| since <= FRESH)
    }

    /// Why everything isn't read again yet: it just was, or just couldn't be.
    fn too_soon(&self) -> Option<Failure> {
        let (at, failure) = self.peek(|known| known.tried.clone())?;
        // Never negative, so that a clock that was set back costs half a minute at most.
        let since = self.clock.now().duration_since(at).max(SignedDuration::ZERO);
        let wait = Duration::try_from(AT_MOST_EVERY - since).ok().filter(|wait| !wait.is_zero())?;
        Some(failure.unwrap_or(Failure::HeldBack { wait }))
    }

    async fn read_all(&self) -> Result<(), Failure> {
        let (now, changes) = (self.clock.now(), self.peek(|known| known.changes));
        let read = self.read_installations().await;
        self.change(|known| {
            known.tried = Some((now, read.as_ref().err().cloned()));
            let unread = read?;
            // What can't be read for good mustn't make every question read everything again.
            if !unread.values().any(Failure::is_transient) {
                known.changes_seen = changes;
            }
            known.unread = unread;
            Ok(())
        })
    }

    /// Which installations' repositories couldn't be read, and why.
    async fn read_installations(&self) -> Result<BTreeMap<InstallationId, Failure>, Failure> {
        let pages =
            self.client.pages::<Vec<Installation>>(Caller::App, &["app", "installations"], &[], PAGES)?;
        let all = pages.all().await?;
        let all: BTreeMap<InstallationId, Arc<Installation>> =
            all.into_iter().map(|found| (InstallationId(found.id), Arc::new(found))).collect();
        let active: BTreeSet<InstallationId> =
            all.iter().filter(|(_, found)| found.suspended_at.is_none()).map(|(id, _)| *id).collect();
        let mut unread = BTreeMap::new();
        for id in &active {
            if let Err(failure) = self.read_repositories(*id).await {
                // What was known of it stays; nothing of it may be said to be gone.
                tracing::warn!(installation = id.0, %failure, "an installation can't be read");
                unread.insert(*id, failure);
            }
        }
        self.change(|known| {
            known.repos.retain(|_, repo| active.contains(&repo.installation));
            known.installations = all;
        });
        Ok(unread)
    }

    async fn read_repositories(&self, id: InstallationId) -> Result<(), Failure> {
        let caller = Caller::Installation(id);
        let pages =
            self.client.pages::<Repositories>(caller, &["installation", "repositories"], &[], PAGES)?;
        let all = pages.all().await?;
        let repos = all.into_iter().filter_map(|seen| Repo::new(id, seen)).map(Arc::new);
        self.change(|known| {
            known.repos.retain(|_, repo| repo.installation != id);
            known.repos.extend(repos.map(|repo| (repo.id, repo)));
        });
        Ok(())
    }

    fn peek<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unavailable(what: &str) -> Failure {
    Failure::Unavailable { what: what.to_owned(), retry_after: None }
}

fn nameless() -> Failure {
    Failure::Unreadable("a repository has no owner".to_owned())
}
