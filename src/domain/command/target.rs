//! What follows the verb: `[target [reason…]]` or `-- reason…`.

use super::nearest::nearest;
use super::parse::split_word;
use super::{Command, excerpt};
use crate::domain::glob::{BadGlob, Glob};

/// A reason keeps this many characters; what is longer is cut.
pub const LONGEST_REASON: usize = 1_000;

/// What a command is about, read against the names that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Which deployments.
    pub target: Target,
    /// Why, at most [`LONGEST_REASON`] characters: foreign text.
    pub reason: Option<String>,
}

/// Which deployments a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// None was named.
    None,
    /// One deployment, by its number (`d4711`, `#4711`); at least 1.
    Number(i64),
    /// One environment, as it is really called.
    Environment(String),
    /// The environments that a glob matches: at least one.
    Glob {
        /// The glob as it was written: foreign text.
        pattern: String,
        /// The names it matches, in the order in which they were given.
        environments: Vec<String>,
    },
}

/// Why a target names nothing. Its texts are foreign and shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither an environment, a glob nor a number.
    #[error("`{word}` is neither an environment nor a deployment's number")]
    Unknown {
        /// What was written.
        word: String,
        /// The environment it resembles, or the number it may be.
        did_you_mean: Option<String>,
    },
    /// A glob that matches no environment.
    #[error("no environment matches `{pattern}`")]
    NoMatch {
        /// The glob.
        pattern: String,
    },
    /// A glob that can't be read.
    #[error("`{pattern}` can't be read: {fault}")]
    BadGlob {
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        fault: BadGlob,
    },
    /// A quoted name that doesn't end, or that ends within a word.
    #[error("the quotation mark before `{word}` has no counterpart at the end of a word")]
    BrokenQuote {
        /// What follows the quotation mark.
        word: String,
    },
}

impl Command {
    /// Reads target and reason.
    ///
    /// `environments` are the project's environments by their real names, also those where nothing waits: a
    /// name with spaces is the longest one that the words begin with, so a missing longer name would make its
    /// second word a reason. Where names don't compare exactly an exact match still comes first.
    ///
    /// The target may be quoted with `"`, `'` or backticks; between quotation marks an environment's name goes
    /// before a number or a glob. A `--` between target and reason may stand there or not. Behind a verb that
    /// takes no target words mean nothing.
    pub fn resolve(&self, environments: &[&str], exact_case: bool) -> Result<Resolved, TargetError> {
        if !self.verb.takes_target() {
            return Ok(Resolved { target: Target::None, reason: None });
        }
        let (target, rest) = Names { environments, exact_case }.target(&self.words)?;
        Ok(Resolved { target, reason: reason(rest) })
    }
}

struct Names<'a> {
    environments: &'a [&'a str],
    exact_case: bool,
}

impl Names<'_> {
    /// The target, and what follows it.
    fn target<'w>(&self, words: &'w str) -> Result<(Target, &'w str), TargetError> {
        let (first, rest) = split_word(words);
        if first.is_empty() || first == "--" {
            return Ok((Target::None, words));
        }
        if let Some(mark) = first.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
            let (name, rest) = quoted(words, mark)?;
            return Ok((self.named(name)?, rest));
        }
        if let Some(number) = number(first) {
            return Ok((Target::Number(number), rest));
        }
        if let Some((name, rest)) = self.longest(words) {
            return Ok((Target::Environment(name.to_owned()), rest));
        }
        Ok((self.unnamed(first)?, rest))
    }

    /// What a quoted name means.
    fn named(&self, name: &str) -> Result<Target, TargetError> {
        match (self.exactly(name), number(name)) {
            (Some(environment), _) => Ok(Target::Environment(environment.to_owned())),
            (None, Some(number)) => Ok(Target::Number(number)),
            (None, None) => self.unnamed(name),
        }
    }

    /// What a word means that is no environment's name and no number.
    fn unnamed(&self, word: &str) -> Result<Target, TargetError> {
        if word.contains('*') {
            return self.glob(word);
        }
        let near_number = number(&format!("d{word}")).map(|number| format!("d{number}"));
        let near_name = nearest(word, self.environments.iter().copied()).map(str::to_owned);
        Err(TargetError::Unknown { word: excerpt(word), did_you_mean: near_number.or(near_name) })
    }

    fn glob(&self, pattern: &str) -> Result<Target, TargetError> {
        let glob = Glob::new(&self.folded(pattern))
            .map_err(|fault| TargetError::BadGlob { pattern: excerpt(pattern), fault })?;
        let matching = self.environments.iter().filter(|name| glob.matches(&self.folded(name)));
        let environments: Vec<String> = matching.map(|name| (*name).to_owned()).collect();
        if environments.is_empty() {
            return Err(TargetError::NoMatch { pattern: excerpt(pattern) });
        }
        Ok(Target::Glob { pattern: excerpt(pattern), environments })
    }

    fn exactly(&self, name: &str) -> Option<&str> {
        self.environments
            .iter()
            .find(|own| **own == name)
            .or_else(|| self.environments.iter().find(|own| self.same(own, name)))
            .copied()
    }

    /// The longest name that the words begin with, and the words behind it.
    fn longest<'w>(&self, words: &'w str) -> Option<(&str, &'w str)> {
        self.environments
            .iter()
            .filter_map(|name| Some((*name, self.strip_name(words, name)?)))
            .min_by_key(|(name, rest)| (rest.len(), !words.starts_with(name)))
    }

    /// The words behind a name, if they begin with it word by word.
    fn strip_name<'w>(&self, words: &'w str, name: &str) -> Option<&'w str> {
        let mut rest = words;
        for part in name.split_whitespace() {
            let (word, behind) = split_word(rest);
            if !self.same(word, part) {
                return None;
            }
            rest = behind;
        }
        // A name of white space alone would begin everything.
        (rest.len() < words.len()).then_some(rest)
    }

    fn same(&self, a: &str, b: &str) -> bool {
        let lower_a = a.chars().flat_map(char::to_lowercase);
        let lower_b = b.chars().flat_map(char::to_lowercase);
        a == b || (!self.exact_case && lower_a.eq(lower_b))
    }

    fn folded(&self, name: &str) -> String {
        if self.exact_case { name.to_owned() } else { name.to_lowercase() }
    }
}

/// The name between quotation marks, and what follows it.
fn quoted(words: &str, mark: char) -> Result<(&str, &str), TargetError> {
    let inner = words.trim_start().trim_start_matches(mark);
    let broken = || TargetError::BrokenQuote { word: excerpt(split_word(inner).0) };
    let (name, rest) = inner.split_once(mark).ok_or_else(broken)?;
    let rest = rest.trim_start_matches(mark);
    let ends_word = rest.chars().next().is_none_or(char::is_whitespace);
    if ends_word && !name.trim().is_empty() { Ok((name.trim(), rest)) } else { Err(broken()) }
}

/// `d4711`, `D4711` or `#4711`.
fn number(word: &str) -> Option<i64> {
    let digits = word.strip_prefix(['d', 'D', '#'])?;
    let all_digits = digits.chars().all(|c| c.is_ascii_digit());
    digits.parse().ok().filter(|number| all_digits && *number > 0)
}

fn reason(words: &str) -> Option<String> {
    let words = words.trim();
    let (first, rest) = split_word(words);
    let text = if first == "--" { rest } else { words };
    let kept: String = text.chars().take(LONGEST_REASON).collect();
    let kept = kept.trim_end();
    (!kept.is_empty()).then(|| kept.to_owned())
}
