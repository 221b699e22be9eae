//! The configuration: read once at the start, judged whole, and free of doubt afterwards.
//!
//! `raw` is the file's exact shape, `checked` what the rest of the house may see. Between them every fault is
//! collected, so that [`Faults`] shows all of them at once, each at its line and with its remedy.

mod chats;
mod check;
mod checked;
mod environments;
mod forges;
mod github;
mod gitlab;
mod grantees;
mod mattermost;
mod nearest;
mod people;
mod platforms;
mod postgres;
mod raw;
mod redact;
mod report;
mod secret;
mod sheet;
mod slack;
#[cfg(test)]
mod tests;

pub use checked::{Config, GitHub, GitLab, Mattermost, MergeRequestApproval, Server, Slack, StoreUrl};
pub use report::{Faults, Warning};
pub use secret::{Environment, process_environment};

use check::Checker;
use raw::RawConfig;
use report::Finding;
use secrecy::SecretString;
use secret::Vault;
use sheet::Sheet;
use std::net::SocketAddr;
use std::path::Path;
use std::{fs, io};
use toml::de::DeTable;

/// Every key with its default and its comment: the manual of the configuration.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Reads and checks a configuration file. Secret files are looked for beside it.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Config, Faults> {
    parse(&read(path)?, path, environment)
}

/// Checks a configuration's text. `path` names it in faults; secret files are looked for in its folder.
pub fn parse(text: &str, path: &Path, environment: Environment<'_>) -> Result<Config, Faults> {
    let (config, warnings) = judge(text, path, environment, |mut checker, raw| checker.config(raw))?;
    Ok(Config { warnings, ..config })
}

/// Where the store of a configuration file is, for whoever works on nothing else. The whole file must be well-formed;
/// of its secrets only `[store] url` is fetched, so that those of forges and chats needn't be there.
pub fn load_store(path: &Path, environment: Environment<'_>) -> Result<StoreUrl, Faults> {
    let (store, _) = judge(&read(path)?, path, environment, |mut checker, raw| checker.store(raw.store))?;
    Ok(store)
}

/// Where the server of a configuration file listens. The whole file must be well-formed; no secret is fetched.
pub fn load_listen(path: &Path) -> Result<SocketAddr, Faults> {
    let (listen, _) = judge(&read(path)?, path, &|_| None, |mut checker, raw| checker.listens(raw.server))?;
    Ok(listen)
}

/// Checks the address of a store that no file names. `name` names it in faults, which never show the address.
pub fn store_at(address: &str, name: &Path) -> Result<StoreUrl, Faults> {
    let mut sheet = Sheet::default();
    let vault = Vault { environment: &|_| None, folder: Path::new("") };
    let store = Checker::new(&mut sheet, vault).store_address(0..0, SecretString::from(address));
    let nowhere = |finding| Finding { span: None, ..finding };
    store.ok_or_else(|| Faults::new(name, String::new(), sheet.faults.into_iter().map(nowhere).collect()))
}

fn read(path: &Path) -> Result<String, Faults> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// Reads a whole text, and takes of it what is wanted: only that is checked for its sense.
fn judge<T>(
    text: &str,
    path: &Path,
    environment: Environment<'_>,
    take: impl FnOnce(Checker<'_>, RawConfig) -> Option<T>,
) -> Result<(T, Vec<Warning>), Faults> {
    let document = DeTable::parse(text).map_err(|error| not_toml(text, path, &error))?;
    let mut sheet = Sheet::default();
    let raw = sheet.table(document.get_ref(), RawConfig::read);
    let vault = Vault { environment, folder: path.parent().unwrap_or(Path::new("")) };
    let taken = take(Checker::new(&mut sheet, vault), raw);
    let faults = std::mem::take(&mut sheet.faults);
    match taken {
        Some(taken) if faults.is_empty() => Ok((taken, warnings(text, sheet.warnings))),
        Some(_) | None => {
            Err(Faults::new(path, redact::all_but(text, document.get_ref(), &sheet.shown), faults))
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Faults {
    if error.kind() == io::ErrorKind::NotFound {
        let help = "copy config/countersign.example.toml there and fill it in, or name another file with \
                    --config or COUNTERSIGN_CONFIG";
        return Faults::of_file(path, "there is no configuration file here".to_owned(), help);
    }
    let title = format!("the configuration file can't be read: {error}");
    Faults::of_file(path, title, "it must be a file of UTF-8 text that this account may read")
}

fn not_toml(text: &str, path: &Path, error: &toml::de::Error) -> Faults {
    let finding = Finding {
        span: error.span(),
        title: format!("this isn't TOML: {}", error.message()),
        help: "https://toml.io shows how it is written; further faults show once this one is mended"
            .to_owned(),
    };
    Faults::new(path, redact::all_words_but(text, DEFAULTS), vec![finding])
}

fn warnings(text: &str, mut findings: Vec<Finding>) -> Vec<Warning> {
    findings.sort_by_key(|finding| finding.span.as_ref().map(|span| span.start));
    let warning = |finding: Finding| Warning {
        line: finding.span.map_or(1, |span| report::line_of(text, span.start)),
        message: finding.title,
        remedy: finding.help,
    };
    findings.into_iter().map(warning).collect()
}
