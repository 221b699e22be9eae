//! From raw to checked: the server, the store, and what all tables share. (`gitlab` and `github` have the forges,
//! `slack` and `mattermost` the chats, `people` who is who, `environments` the policies.)

use super::checked::{Config, Server, StoreUrl};
use super::nearest::nearest;
use super::platforms::Platforms;
use super::postgres;
use super::raw::{RawConfig, RawServer, RawStore};
use super::report::Finding;
use super::secret::{Source, Vault};
use super::sheet::{Field, Items, Sheet};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use url::Url;

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const STORE: &str = "countersign.db";
const STORE_HELP: &str = "write \"sqlite:\" and the path of a file, such as \"sqlite:countersign.db\", or \
    \"postgres://user@host/database\"";
const SHORTEST_POLL: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_POLL: SignedDuration = SignedDuration::from_hours(24);

/// Judges raw values. A method that returns `None` has reported why.
pub(super) struct Checker<'a> {
    pub(super) sheet: &'a mut Sheet,
    vault: Vault<'a>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(sheet: &'a mut Sheet, vault: Vault<'a>) -> Self {
        Self { sheet, vault }
    }

    pub(super) fn config(&mut self, raw: RawConfig) -> Option<Config> {
        let server = Self::plain(raw.server, RawServer::default()).and_then(|raw| self.server(raw));
        let store = self.store(raw.store);
        let mut platforms = Platforms::default();
        let gitlab = self.each(raw.gitlab, |checker, raw| checker.gitlab(raw, &mut platforms));
        let github = self.each(raw.github, |checker, raw| checker.github(raw, &mut platforms));
        if let (Some([]), Some([])) = (gitlab.as_deref(), github.as_deref()) {
            let (title, help) = ("no forge is configured", "add a `[[gitlab]]` or a `[[github]]` table");
            self.sheet.faults.push(Finding { span: None, title: title.to_owned(), help: help.to_owned() });
        }
        let slack = self.each(raw.slack, |checker, raw| checker.slack(raw, &mut platforms));
        let mattermost = self
            .each(raw.mattermost, |checker, raw| checker.mattermost(raw, server.as_ref(), &mut platforms));
        let people = self.people(raw.person, &platforms);
        let policies = self.policies(raw.environment, &platforms);
        if let (Some(people), Some(policies)) = (&people, &policies) {
            self.warn_of_silent_chats(&platforms.chats, people, policies);
        }
        Some(Config {
            server: server?,
            store: store?,
            gitlab: gitlab?,
            github: github?,
            slack: slack?,
            mattermost: mattermost?,
            people: people?,
            policies: policies?,
            warnings: Vec::new(),
        })
    }

    fn server(&mut self, raw: RawServer) -> Option<Server> {
        let listen = self.listen(raw.listen);
        let public_url = self.or(raw.public_url, None, |checker, url| checker.public_url(url).map(Some));
        let client_address_header =
            self.or(raw.client_address_header, None, |checker, name| checker.header_name(name).map(Some));
        let api_tokens = self.secrets(raw.api_tokens, Self::header_secret);
        Some(Server {
            listen: listen?,
            public_url: public_url?,
            client_address_header: client_address_header?,
            api_tokens: api_tokens?,
        })
    }

    fn header_name(&mut self, text: &Spanned<String>) -> Option<String> {
        let name = text.get_ref();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty();
        if !is_name {
            let help = "write the name of one, such as \"X-Forwarded-For\"";
            self.sheet.fault(text.span(), "`client_address_header` isn't the name of a header", help);
        }
        is_name.then(|| name.to_ascii_lowercase())
    }

    /// Where the server itself is: the paths of hooks are added to it.
    fn public_url(&mut self, text: &Spanned<String>) -> Option<Url> {
        let url = self.web_address(text, "https://countersign.example.com")?;
        let mut path = url.path().trim_end_matches('/').rsplit('/');
        if path.by_ref().take(2).any(|part| part == "hooks") {
            let help = "write the server's own address: `/hooks/…` is added to it";
            self.sheet.fault(text.span(), "`public_url` ends in the path of a hook", help);
            return None;
        }
        Some(url)
    }

    /// Of the server only where it listens.
    pub(super) fn listens(&mut self, server: Field<RawServer>) -> Option<SocketAddr> {
        self.listen(Self::plain(server, RawServer::default())?.listen)
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

    pub(super) fn store(&mut self, store: Field<RawStore>) -> Option<StoreUrl> {
        let url = Self::plain(store, RawStore::default())?.url;
        self.or(url, StoreUrl::Sqlite(PathBuf::from(STORE)), |checker, source| {
            let url = checker.secret(source)?;
            checker.store_address(source.span(), url)
        })
    }

    /// A database's address may carry a password: no fault shows it.
    pub(super) fn store_address(&mut self, span: Range<usize>, url: SecretString) -> Option<StoreUrl> {
        let text = url.expose_secret();
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return self.postgres_url(span, url);
        }
        let Some(path) = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path))
        else {
            self.sheet.hidden_fault(span, "this isn't the address of a store", STORE_HELP);
            return None;
        };
        if path.is_empty() || path.starts_with(':') || path.contains('?') {
            let title = "the store needs the path of a file, and nothing else";
            self.sheet.hidden_fault(span, title, STORE_HELP);
            return None;
        }
        Some(StoreUrl::Sqlite(PathBuf::from(path)))
    }

    fn postgres_url(&mut self, span: Range<usize>, url: SecretString) -> Option<StoreUrl> {
        let Some((title, help)) = postgres::fault(url.expose_secret()) else {
            return Some(StoreUrl::Postgres(url));
        };
        self.sheet.hidden_fault(span, title, help);
        None
    }

    /// A secret that travels in an HTTP header.
    pub(super) fn header_secret(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let span = source.span();
        let secret = self.secret(source)?;
        if secret.expose_secret().chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Some(secret);
        }
        let title = "this secret has characters that no HTTP header can carry";
        self.sheet.fault(span, title, "it must be one line of plain ASCII");
        None
    }

    pub(super) fn secret(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let opened = self.vault.open(source.get_ref());
        opened
            .map_err(|fault| {
                self.sheet.fault(source.span(), fault.to_string(), fault.help());
            })
            .ok()
    }

    pub(super) fn poll(&mut self, text: &Spanned<String>) -> Option<SignedDuration> {
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

    /// An address of the web; `example` shows how one looks there.
    pub(super) fn web_address(&mut self, text: &Spanned<String>, example: &str) -> Option<Url> {
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
        self.sheet.hidden_fault(text.span(), title, &format!("write it plain, such as \"{example}\""));
        None
    }

    // What all keys share: absence, defaults, choices, lists.

    /// The tables of a list, each of them checked.
    pub(super) fn each<T, U>(
        &mut self,
        field: Field<Items<T>>,
        mut check: impl FnMut(&mut Self, Spanned<T>) -> Option<U>,
    ) -> Option<Vec<U>> {
        let items = Self::plain(field, Vec::new())?;
        // All of them are looked at before one that is faulty ends it.
        let checked: Vec<Option<U>> = items.into_iter().map(|item| check(self, item?)).collect();
        checked.into_iter().collect()
    }

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

    /// A list of secrets, each of them checked.
    pub(super) fn secrets(
        &mut self,
        field: Field<Items<Source>>,
        check: fn(&mut Self, &Spanned<Source>) -> Option<SecretString>,
    ) -> Option<Vec<SecretString>> {
        self.each(field, |checker, source| check(checker, &source))
    }
}
