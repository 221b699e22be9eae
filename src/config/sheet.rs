//! Reads a TOML document by hand: serde stops at the first fault of shape, and we show all of them.

use super::nearest::nearest;
use super::report::Finding;
use super::secret::Source;
use secrecy::SecretString;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the file says under one key. Broken means: of the wrong shape, and already reported.
pub(super) enum Field<T> {
    Absent,
    Broken,
    Given(Spanned<T>),
}

/// A list's items; `None` for those of the wrong shape, which are already reported.
pub(super) type Items<T> = Vec<Option<Spanned<T>>>;

impl<T> Field<T> {
    fn from(read: Option<Spanned<T>>) -> Self {
        read.map_or(Self::Broken, Self::Given)
    }

    /// Where it stands, if it is there and well-formed.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::Given(value) => Some(value.span()),
            Self::Absent | Self::Broken => None,
        }
    }
}

impl<T> Field<Items<T>> {
    /// Nothing is listed. What is of the wrong shape was meant to list something.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Broken => false,
            Self::Given(items) => items.get_ref().is_empty(),
        }
    }
}

/// Collects what is found while a document is read and checked.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) faults: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    /// Where the values begin that a report may show.
    pub(super) shown: BTreeSet<usize>,
    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) known: BTreeSet<&'static str>,
}

impl Sheet {
    pub(super) fn fault(&mut self, span: Range<usize>, title: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Finding { span: Some(span), title: title.into(), help: help.into() });
    }

    /// A fault of a value that may hold a password: the report stars it out.
    pub(super) fn hidden_fault(&mut self, span: Range<usize>, title: &str, help: &str) {
        self.hide(&span);
        self.fault(span, title, help);
    }

    /// The value that begins here may be a misplaced secret after all: reports star it out.
    pub(super) fn hide(&mut self, span: &Range<usize>) {
        self.shown.remove(&span.start);
    }

    pub(super) fn warning(&mut self, span: Range<usize>, title: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(Finding { span: Some(span), title: title.into(), help: help.into() });
    }

    /// Reads a whole table; keys that `read` didn't ask for are faults.
    pub(super) fn table<T>(&mut self, table: &DeTable<'_>, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let mut section = Section { sheet: self, table, known: Vec::new(), open: false };
        let value = read(&mut section);
        section.report_unknown_keys();
        value
    }

    fn expected(&mut self, what: &str, value: &Spanned<DeValue<'_>>) {
        let title = format!("{} can't stand here", kind(value.get_ref()));
        self.fault(value.span(), title, format!("write {what}"));
    }

    fn plain<T: Plain>(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Spanned<T>> {
        self.shown.insert(value.span().start);
        let Some(plain) = T::read(value.get_ref()) else {
            self.expected(T::WHAT, value);
            return None;
        };
        Some(Spanned::new(value.span(), plain))
    }

    fn inner_table<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        what: &str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<Spanned<T>> {
        let Some(table) = value.get_ref().as_table() else {
            self.expected(what, value);
            return None;
        };
        Some(Spanned::new(value.span(), self.table(table, read)))
    }

    fn secret(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Spanned<Source>> {
        let source = if let Some(literal) = value.get_ref().as_str() {
            Source::Literal(SecretString::from(literal))
        } else {
            let (env, file) = self
                .inner_table(value, SECRET, |section| (section.plain("env"), section.plain("file")))?
                .into_inner();
            self.one_source(value.span(), env, file)?
        };
        Some(Spanned::new(value.span(), source))
    }

    fn one_source(&mut self, at: Range<usize>, env: Field<String>, file: Field<String>) -> Option<Source> {
        match (env, file) {
            (Field::Given(name), Field::Absent) if is_variable(name.get_ref()) => {
                Some(Source::Env(name.into_inner()))
            }
            (Field::Given(name), Field::Absent) => {
                let help = "letters, digits and underscores; a secret itself is written in plain quotes";
                self.hidden_fault(name.span(), "this isn't the name of an environment variable", help);
                None
            }
            (Field::Absent, Field::Given(path)) => Some(Source::File(path.into_inner())),
            (Field::Broken, _) | (_, Field::Broken) => None,
            (Field::Absent, Field::Absent) | (Field::Given(_), Field::Given(_)) => {
                self.fault(at, "a secret comes from exactly one place", format!("write {SECRET}"));
                None
            }
        }
    }
}

const SECRET: &str = "\"a text\", { env = \"NAME\" } or { file = \"path\" }";

/// One table of the document while it is read.
pub(super) struct Section<'a> {
    sheet: &'a mut Sheet,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    /// Every key may stand here.
    open: bool,
}

impl<'a> Section<'a> {
    /// A text, a number or a switch.
    pub(super) fn plain<T: Plain>(&mut self, key: &'static str) -> Field<T> {
        self.field(key, Sheet::plain)
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Field<Items<String>> {
        if let Some(value) = self.table.get(key) {
            // A text in place of the list is as harmless as one in it.
            self.sheet.shown.insert(value.span().start);
        }
        self.list(key, "a list of texts", Sheet::plain)
    }

    /// A secret.
    pub(super) fn secret(&mut self, key: &'static str) -> Field<Source> {
        self.field(key, Sheet::secret)
    }

    /// A list of secrets.
    pub(super) fn secrets(&mut self, key: &'static str) -> Field<Items<Source>> {
        self.list(key, "a list of secrets", Sheet::secret)
    }

    /// `[key]`
    pub(super) fn table<T>(&mut self, key: &'static str, read: fn(&mut Section<'_>) -> T) -> Field<T> {
        self.field(key, |sheet, value| sheet.inner_table(value, &format!("a table, `[{key}]`"), read))
    }

    /// `[[key]]`, or a list of inline tables.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        read: fn(&mut Section<'_>) -> T,
    ) -> Field<Items<T>> {
        let what = format!("a list of tables, `[[{key}]]` or `{key} = [{{ … }}]`");
        self.list(key, &what, |sheet, item| sheet.inner_table(item, "a table, `{ … }`", read))
    }

    /// The texts of a table whose keys are the reader's own, in the order of their names. A text is `None` where
    /// something else stands.
    pub(super) fn named_texts(&mut self) -> Vec<(Spanned<String>, Option<Spanned<String>>)> {
        self.open = true;
        let named = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            (Spanned::new(key.span(), key.get_ref().to_string()), self.sheet.plain(value))
        };
        self.table.iter().map(named).collect()
    }

    fn list<T>(
        &mut self,
        key: &'static str,
        what: &str,
        item: impl Fn(&mut Sheet, &Spanned<DeValue<'_>>) -> Option<Spanned<T>>,
    ) -> Field<Items<T>> {
        self.field(key, |sheet, value| {
            let Some(items) = value.get_ref().as_array() else {
                sheet.expected(what, value);
                return None;
            };
            Some(Spanned::new(value.span(), items.iter().map(|value| item(sheet, value)).collect()))
        })
    }

    fn field<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Sheet, &Spanned<DeValue<'_>>) -> Option<Spanned<T>>,
    ) -> Field<T> {
        self.find(key).map_or(Field::Absent, |value| Field::from(read(self.sheet, value)))
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        #[cfg(test)]
        self.sheet.known.insert(key);
        self.table.get(key)
    }

    fn report_unknown_keys(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.open || self.known.contains(&name) {
                continue;
            }
            let help = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are `{}`", self.known.join("`, `")),
            };
            self.sheet.fault(key.span(), format!("unknown key `{}`", name.escape_debug()), help);
        }
    }
}

/// A value that is no secret and no table.
pub(super) trait Plain: Sized {
    const WHAT: &'static str;
    fn read(value: &DeValue<'_>) -> Option<Self>;
}

impl Plain for String {
    const WHAT: &'static str = "a text in quotes";
    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Plain for bool {
    const WHAT: &'static str = "`true` or `false`";
    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Plain for i64 {
    const WHAT: &'static str = "a whole number of at most 64 bits";
    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_integer().and_then(|digits| Self::from_str_radix(digits.as_str(), digits.radix()).ok())
    }
}

/// An access level by its word or by its number.
pub(super) enum WordOrNumber {
    Word(String),
    Number(i64),
}

impl Plain for WordOrNumber {
    const WHAT: &'static str = "a word in quotes or a number";
    fn read(value: &DeValue<'_>) -> Option<Self> {
        let word = String::read(value).map(Self::Word);
        word.or_else(|| i64::read(value).map(Self::Number))
    }
}

fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a switch",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
