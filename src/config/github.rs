//! From raw to checked: a `[[github]]`.

use super::check::Checker;
use super::checked::GitHub;
use super::forges::{Forge, Kind, NO_PROOF};
use super::platforms::Platforms;
use super::raw::RawGitHub;
use super::secret::Source;
use super::sheet::{Field, Items};
use crate::domain::id::ForgeName;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use std::ops::Range;
use toml::Spanned;
use url::Url;

const GITHUB_NAME: &str = "github";
const API_URL: &str = "https://api.github.com";
const POLL: SignedDuration = SignedDuration::from_mins(5);
/// Where people read GitHub; its API is elsewhere.
const PAGES: [&str; 2] = ["github.com", "www.github.com"];

impl Checker<'_> {
    pub(super) fn github(&mut self, raw: Spanned<RawGitHub>, platforms: &mut Platforms) -> Option<GitHub> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.platform_name(raw.name, GITHUB_NAME, &at, platforms).map(ForgeName::new);
        platforms.forges.push(Forge { name: name.clone(), kind: Kind::GitHub, at: at.clone() });
        let api_url = self.api_url(raw.api_url, &at);
        let app_id = self.required(raw.app_id, &at, "app_id").and_then(|id| self.app_id(&id));
        let private_key =
            self.required(raw.private_key, &at, "private_key").and_then(|key| self.private_key(&key));
        let webhook_secrets = self.webhook_secrets(raw.webhook_secrets, &at);
        let poll = self.or(raw.poll, POLL, Self::poll);
        Some(GitHub {
            name: name?,
            api_url: api_url?,
            app_id: app_id?,
            private_key: private_key?,
            webhook_secrets: webhook_secrets?,
            poll: poll?,
        })
    }

    fn api_url(&mut self, field: Field<String>, at: &Range<usize>) -> Option<Url> {
        let text = match field {
            Field::Given(text) => text,
            Field::Absent => Spanned::new(at.clone(), API_URL.to_owned()),
            Field::Broken => return None,
        };
        let url = self.web_address(&text, "https://github.example.com/api/v3")?;
        if url.host_str().is_some_and(|host| PAGES.contains(&host)) {
            let help = format!("write \"{API_URL}\", or \"https://HOST/api/v3\" of an Enterprise Server");
            self.sheet.fault(text.span(), "this is the address of GitHub's pages, not of its API", help);
            return None;
        }
        Some(url)
    }

    fn app_id(&mut self, id: &Spanned<i64>) -> Option<u64> {
        let number = u64::try_from(*id.get_ref()).ok().filter(|number| *number > 0);
        if number.is_none() {
            let help = "the App's settings page shows it as \"App ID\"";
            self.sheet.fault(id.span(), "this isn't the number of an App", help);
        }
        number
    }

    /// What can be told from its outside; whether it can sign is seen when the adapter is made.
    fn private_key(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let key = self.secret(source)?;
        let Some((title, help)) = not_a_key(key.expose_secret()) else { return Some(key) };
        self.sheet.fault(source.span(), title, help);
        None
    }

    fn webhook_secrets(
        &mut self,
        field: Field<Items<Source>>,
        at: &Range<usize>,
    ) -> Option<Vec<SecretString>> {
        if field.is_empty() {
            let span = field.span().unwrap_or_else(|| at.clone());
            self.sheet.fault(span, NO_PROOF, "put the App's webhook secret into `webhook_secrets`");
        }
        self.secrets(field, Self::secret)
    }
}

/// Why a text can't be an App's private key, and what to do; `None` if it looks like one.
fn not_a_key(text: &str) -> Option<(&'static str, &'static str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.first().copied().unwrap_or_default();
    let title = match first {
        "-----BEGIN RSA PRIVATE KEY-----" | "-----BEGIN PRIVATE KEY-----" => {
            let last = lines.last().copied().unwrap_or_default();
            if lines.len() < 2 || !last.starts_with("-----END ") {
                return Some((
                    "this private key breaks off before its last line",
                    "it ends with a line like -----END RSA PRIVATE KEY-----: copy the whole file that GitHub gave",
                ));
            }
            if !lines.iter().any(|line| line.starts_with("Proc-Type:")) {
                return None;
            }
            "this private key has a password"
        }
        "-----BEGIN ENCRYPTED PRIVATE KEY-----" => "this private key has a password",
        "-----BEGIN EC PRIVATE KEY-----" => "this is an EC key, and those of GitHub Apps are RSA",
        line if line.starts_with("-----BEGIN ") && !line.contains("\\n") => "this is PEM, but no private key",
        _ => {
            return Some((
                "this isn't a private key in PEM form",
                "GitHub hands it out as a file that begins with a line like -----BEGIN RSA PRIVATE KEY-----; line \
                 ends must be real ones, not `\\n`; to name that file, write { file = \"countersign.pem\" }",
            ));
        }
    };
    Some((title, "generate a private key on the App's settings page, and use the file as GitHub gives it"))
}
