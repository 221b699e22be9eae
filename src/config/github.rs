//! From raw to checked: a `[[github]]`.

use super::check::Checker;
use super::checked::GitHub;
use super::forges::{Forge, Kind, NO_PROOF};
use super::raw::RawGitHub;
use super::secret::Source;
use super::sheet::{Field, Items};
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
    pub(super) fn github(&mut self, raw: Spanned<RawGitHub>, forges: &mut Vec<Forge>) -> Option<GitHub> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.forge_name(raw.name, GITHUB_NAME, &at, forges);
        forges.push(Forge { name: name.clone(), kind: Kind::GitHub, at: at.clone() });
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
        let url = self.web_address(&text)?;
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

    /// Only its outside is looked at here; whether it can sign is seen when the adapter is made.
    fn private_key(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let key = self.secret(source)?;
        let mut lines = key.expose_secret().lines().map(str::trim).skip_while(|line| line.is_empty());
        let begins = |line: &str| line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----");
        if lines.next().is_some_and(begins) && lines.next().is_some() {
            return Some(key);
        }
        let help = "GitHub hands it out as a file that begins with a line like -----BEGIN RSA PRIVATE KEY-----; \
                    line ends must be real ones, not `\\n`";
        self.sheet.fault(source.span(), "this isn't a private key in PEM form", help);
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
