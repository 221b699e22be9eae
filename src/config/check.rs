//! From raw to checked: the server, the store and the forges. (`environments` has the policies.)

use super::checked::{Config, GitLab, MergeRequestApproval, Server, StoreUrl};
use super::nearest::nearest;
use super::raw::{RawConfig, RawGitLab, RawServer, RawStore};
use super::report::Finding;
use super::secret::{Source, Vault};
use super::sheet::{Field, Items, Sheet};
use crate::domain::id::ForgeName;
use crate::domain::policy::VoteAs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use url::Url;

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const STORE: &str = "countersign.db";
const GITLAB_NAME: &str = "gitlab";
const POLL: SignedDuration = SignedDuration::from_secs(60);
const SHORTEST_POLL: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_POLL: SignedDuration = SignedDuration::from_hours(24);

/// Judges raw values. A method that returns `None` has reported why.
pub(super) struct Checker<'a> {
    pub(super) sheet: &'a mut Sheet,
    vault: Vault<'a>,
}

/// What an `[[environment]]` must know of its forge, even where the forge's table has faults.
pub(super) struct Forge {
    pub(super) name: Option<ForgeName>,
    pub(super) vote_as: Option<VoteAs>,
    pub(super) at: Range<usize>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(sheet: &'a mut Sheet, vault: Vault<'a>) -> Self {
        Self { sheet, vault }
    }

    pub(super) fn config(&mut self, raw: RawConfig) -> Option<Config> {
        let server = Self::plain(raw.server, RawServer::default()).and_then(|raw| self.server(raw));
        let store = Self::plain(raw.store, RawStore::default()).and_then(|raw| self.store(raw));
        let (forges, gitlab) = self.gitlabs(raw.gitlab);
        let policies = self.policies(raw.environment, &forges);
        Some(Config {
            server: server?,
            store: store?,
            gitlab: gitlab?,
            policies: policies?,
            warnings: Vec::new(),
        })
    }

    fn server(&mut self, raw: RawServer) -> Option<Server> {
        let listen = self.listen(raw.listen);
        let public_url = self.or(raw.public_url, None, |checker, url| checker.web_address(url).map(Some));
        let api_tokens = self.secrets(raw.api_tokens, Self::header_secret);
        Some(Server { listen: listen?, public_url: public_url?, api_tokens: api_tokens? })
    }

    fn listen(&mut self, field: Field<String>) -> Option<SocketAddr> {
        self.or(field, LISTEN, |checker, text| {
            let address = text.get_ref().parse().ok();
            if address.is_none() {
                let help = "write an IP address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"";
                checker.sheet.fault(text.span(), "`listen` isn't an address to listen on", help);
            }
            address
        })
    }

    fn store(&mut self, raw: RawStore) -> Option<StoreUrl> {
        self.or(raw.url, PathBuf::from(STORE), Self::sqlite_path).map(StoreUrl::Sqlite)
    }

    fn sqlite_path(&mut self, url: &Spanned<String>) -> Option<PathBuf> {
        const HELP: &str = "write \"sqlite:\" and the path of a file, such as \"sqlite:countersign.db\"";
        // A database URL may carry a password: none of these faults shows it.
        let text = url.get_ref();
        let Some(path) = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path))
        else {
            let postgres = text.starts_with("postgres:") || text.starts_with("postgresql:");
            let title = if postgres {
                "this version keeps its store in SQLite, not in PostgreSQL"
            } else {
                "this version keeps its store in SQLite"
            };
            self.sheet.hidden_fault(url.span(), title, HELP);
            return None;
        };
        if path.is_empty() || path.starts_with(':') || path.contains('?') {
            let title = "the store needs the path of a file, and nothing else";
            self.sheet.hidden_fault(url.span(), title, HELP);
            return None;
        }
        Some(PathBuf::from(path))
    }

    fn gitlabs(&mut self, field: Field<Items<RawGitLab>>) -> (Vec<Forge>, Option<Vec<GitLab>>) {
        let items = match field {
            Field::Given(items) => items.into_inner(),
            Field::Absent => Vec::new(),
            Field::Broken => return (Vec::new(), None),
        };
        if items.is_empty() {
            let (title, help) = ("no forge is configured", "add a `[[gitlab]]` table with its url and token");
            self.sheet.faults.push(Finding { span: None, title: title.to_owned(), help: help.to_owned() });
        }
        let mut forges = Vec::new();
        let gitlabs: Vec<Option<GitLab>> =
            items.into_iter().map(|item| self.gitlab(item?, &mut forges)).collect();
        (forges, gitlabs.into_iter().collect())
    }

    fn gitlab(&mut self, raw: Spanned<RawGitLab>, forges: &mut Vec<Forge>) -> Option<GitLab> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.forge_name(raw.name, &at, forges);
        let vote_as = self.vote_as(raw.vote_as);
        forges.push(Forge { name: name.clone(), vote_as, at: at.clone() });
        let url = self.required(raw.url, &at, "url").and_then(|url| self.web_address(&url));
        let token = self.required(raw.token, &at, "token").and_then(|token| self.header_secret(&token));
        self.sudo_token_fits(&raw.sudo_token, vote_as, &at);
        let sudo_token =
            self.or(raw.sudo_token, None, |checker, token| checker.header_secret(token).map(Some));
        self.some_webhook_token(&raw.signing_tokens, &raw.secret_tokens, &at);
        let signing_tokens = self.secrets(raw.signing_tokens, Self::signing_token);
        let secret_tokens = self.secrets(raw.secret_tokens, Self::header_secret);
        let answers = [("hint", MergeRequestApproval::Hint), ("ignore", MergeRequestApproval::Ignore)];
        let merge_request_approval = self.choice(raw.merge_request_approval, &answers);
        let poll = self.or(raw.poll, POLL, Self::poll);
        Some(GitLab {
            name: name?,
            url: url?,
            token: token?,
            sudo_token: sudo_token?,
            signing_tokens: signing_tokens?,
            secret_tokens: secret_tokens?,
            vote_as: vote_as?,
            merge_request_approval: merge_request_approval?,
            poll: poll?,
        })
    }

    fn forge_name(&mut self, field: Field<String>, at: &Range<usize>, forges: &[Forge]) -> Option<ForgeName> {
        let name = match field {
            Field::Given(name) => name,
            Field::Absent => Spanned::new(at.clone(), GITLAB_NAME.to_owned()),
            Field::Broken => return None,
        };
        let (span, name) = (name.span(), name.into_inner());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(allowed) {
            let help =
                "a name has lower-case letters, digits, `_` and `-`: it becomes part of the hook's path";
            self.sheet.fault(span, format!("{name:?} can't be a name"), help);
            return None;
        }
        let name = ForgeName::new(name);
        if forges.iter().any(|forge| forge.name.as_ref() == Some(&name)) {
            let help = "give each of them a `name` of its own";
            self.sheet.fault(span, format!("the name `{name}` is taken by an earlier table"), help);
        }
        Some(name)
    }

    fn vote_as(&mut self, field: Field<String>) -> Option<VoteAs> {
        if let Field::Given(word) = &field
            && word.get_ref() == "user"
        {
            let title = "this version can't vote with people's own OAuth tokens";
            self.sheet.fault(word.span(), title, "write \"bot\" or \"sudo\"");
            return None;
        }
        self.choice(field, &[("bot", VoteAs::Bot), ("sudo", VoteAs::Sudo)])
    }

    fn sudo_token_fits(&mut self, field: &Field<Source>, vote_as: Option<VoteAs>, at: &Range<usize>) {
        match (vote_as, field) {
            (Some(VoteAs::Sudo), Field::Absent) => {
                let help = "add `sudo_token`, an administrator's token with the scope `sudo`";
                self.sheet.fault(at.clone(), "`vote_as = \"sudo\"` needs a `sudo_token`", help);
            }
            (Some(VoteAs::Bot), Field::Given(token)) => {
                let help =
                    "remove it, or write `vote_as = \"sudo\"`: so strong a token shouldn't lie about unused";
                self.sheet.fault(token.span(), "`sudo_token` is used by `vote_as = \"sudo\"` only", help);
            }
            (Some(VoteAs::Sudo), Field::Given(_) | Field::Broken)
            | (Some(VoteAs::Bot), Field::Absent | Field::Broken)
            | (None, _) => {}
        }
    }

    fn some_webhook_token(
        &mut self,
        signing: &Field<Items<Source>>,
        plain: &Field<Items<Source>>,
        at: &Range<usize>,
    ) {
        let is_empty = |field: &Field<Items<Source>>| match field {
            Field::Absent => true,
            Field::Broken => false,
            Field::Given(items) => items.get_ref().is_empty(),
        };
        if is_empty(signing) && is_empty(plain) {
            let help = "add `signing_tokens` (GitLab 19.0 and later) or `secret_tokens` (every version)";
            self.sheet.fault(at.clone(), "nothing proves that webhooks come from this forge", help);
        }
    }

    fn signing_token(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let span = source.span();
        let secret = self.secret(source)?;
        let key = secret.expose_secret().strip_prefix("whsec_").map(|key| STANDARD.decode(key));
        if key.is_some_and(|key| key.is_ok_and(|key| !key.is_empty())) {
            return Some(secret);
        }
        let help = "GitLab takes `whsec_` and base64 of 32 random bytes; other tokens go to `secret_tokens`";
        self.sheet.fault(span, "a signing token is `whsec_` followed by base64", help);
        None
    }

    /// A secret that travels in an HTTP header.
    fn header_secret(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let span = source.span();
        let secret = self.secret(source)?;
        if secret.expose_secret().chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Some(secret);
        }
        let title = "this secret has characters that no HTTP header can carry";
        self.sheet.fault(span, title, "it must be one line of plain ASCII");
        None
    }

    fn secret(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let opened = self.vault.open(source.get_ref());
        opened
            .map_err(|fault| {
                let help = "put a secret there: a missing or empty one never means that nothing is checked";
                self.sheet.fault(source.span(), fault.to_string(), help);
            })
            .ok()
    }

    fn poll(&mut self, text: &Spanned<String>) -> Option<SignedDuration> {
        let Ok(poll) = text.get_ref().parse::<SignedDuration>() else {
            let title = "`poll` isn't a length of time";
            self.sheet.fault(text.span(), title, "write it as \"30s\", \"5m\" or \"1h\"");
            return None;
        };
        if poll < SHORTEST_POLL {
            self.sheet.fault(text.span(), "`poll` is too short", "the shortest is \"1s\"");
            return None;
        }
        if poll > LONGEST_POLL {
            self.sheet.fault(
                text.span(),
                "`poll` is too long",
                "the longest is \"24h\": it heals lost hooks",
            );
            return None;
        }
        Some(poll)
    }

    fn web_address(&mut self, text: &Spanned<String>) -> Option<Url> {
        let url = Url::parse(text.get_ref()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let bare = |url: &Url| {
            url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let title = match url {
            Some(url) if bare(&url) => return Some(url),
            Some(_) => "this address carries credentials, a query or a fragment",
            None => "this isn't an http or https address",
        };
        self.sheet.hidden_fault(text.span(), title, "write it plain, such as \"https://gitlab.example.com\"");
        None
    }

    // What all keys share: absence, defaults, choices, lists.

    /// The value of a key that must be there.
    pub(super) fn required<T>(
        &mut self,
        field: Field<T>,
        at: &Range<usize>,
        key: &str,
    ) -> Option<Spanned<T>> {
        match field {
            Field::Given(value) => Some(value),
            Field::Broken => None,
            Field::Absent => {
                self.sheet.fault(
                    at.clone(),
                    format!("`{key}` is missing"),
                    format!("add `{key}` to this table"),
                );
                None
            }
        }
    }

    /// A checked value, or its default where the key is absent.
    pub(super) fn or<T, U>(
        &mut self,
        field: Field<T>,
        default: U,
        check: impl FnOnce(&mut Self, &Spanned<T>) -> Option<U>,
    ) -> Option<U> {
        match field {
            Field::Given(value) => check(self, &value),
            Field::Absent => Some(default),
            Field::Broken => None,
        }
    }

    /// A value that needs no check, or its default.
    pub(super) fn plain<T>(field: Field<T>, default: T) -> Option<T> {
        match field {
            Field::Given(value) => Some(value.into_inner()),
            Field::Absent => Some(default),
            Field::Broken => None,
        }
    }

    /// One of some words; the first of them is the default.
    pub(super) fn choice<T: Copy>(&mut self, field: Field<String>, words: &[(&str, T)]) -> Option<T> {
        let word = match field {
            Field::Given(word) => word,
            Field::Absent => return words.first().map(|(_, value)| *value),
            Field::Broken => return None,
        };
        let value = words.iter().find(|(known, _)| known == word.get_ref()).map(|(_, value)| *value);
        if value.is_none() {
            let names: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
            self.unknown_word(&word, &names);
        }
        value
    }

    fn unknown_word(&mut self, word: &Spanned<String>, known: &[&str]) {
        let help = match nearest(word.get_ref(), known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("the words here are \"{}\"", known.join("\", \"")),
        };
        self.sheet.fault(word.span(), format!("unknown word {:?}", word.get_ref()), help);
    }

    fn secrets(
        &mut self,
        field: Field<Items<Source>>,
        check: fn(&mut Self, &Spanned<Source>) -> Option<SecretString>,
    ) -> Option<Vec<SecretString>> {
        let items = Self::plain(field, Vec::new())?;
        let secrets: Vec<Option<SecretString>> = items.into_iter().map(|item| check(self, &item?)).collect();
        secrets.into_iter().collect()
    }
}
