//! Where secrets come from: the file itself, the environment, or a file of their own.

use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Looks an environment variable up. An argument, so that nothing else decides what the environment is.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process. A value that isn't UTF-8 counts as not set.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read for secrets")]
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the file says that a secret stands.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Literal(SecretString),
    /// A variable's name.
    Env(String),
    /// A path, relative to the configuration's folder.
    File(String),
}

/// Why there is no secret where one should be. Tells where it looked, never what it saw.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretFault {
    #[error("this secret is empty")]
    EmptyLiteral,
    #[error("the environment variable `{0}` isn't set")]
    Unset(String),
    #[error("the environment variable `{0}` is empty")]
    EmptyVariable(String),
    #[error("the secret file {} can't be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("the secret file {} is empty", .0.display())]
    EmptyFile(PathBuf),
}

impl SecretFault {
    /// What would work.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Unset(_) => "export it before starting, or use { file = … }",
            Self::EmptyLiteral | Self::EmptyVariable(_) | Self::Unreadable { .. } | Self::EmptyFile(_) => {
                "put a secret there: a missing or empty one never means that nothing is checked"
            }
        }
    }
}

/// Resolves sources to secrets.
#[derive(Clone, Copy)]
pub(super) struct Vault<'a> {
    pub(super) environment: Environment<'a>,
    /// The configuration's folder.
    pub(super) folder: &'a Path,
}

impl Vault<'_> {
    /// Fetches a secret, without the line end that editors and `echo` leave behind it.
    pub(super) fn open(self, source: &Source) -> Result<SecretString, SecretFault> {
        match source {
            Source::Literal(secret) => unless_empty(secret.expose_secret(), || SecretFault::EmptyLiteral),
            Source::Env(name) => {
                let value = (self.environment)(name).ok_or_else(|| SecretFault::Unset(name.clone()))?;
                unless_empty(&value, || SecretFault::EmptyVariable(name.clone()))
            }
            Source::File(name) => {
                let path = self.folder.join(name);
                let content = fs::read_to_string(&path)
                    .map_err(|cause| SecretFault::Unreadable { path: path.clone(), cause })?;
                unless_empty(&content, || SecretFault::EmptyFile(path))
            }
        }
    }
}

fn unless_empty(text: &str, fault: impl FnOnce() -> SecretFault) -> Result<SecretString, SecretFault> {
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() { Err(fault()) } else { Ok(SecretString::from(secret)) }
}
