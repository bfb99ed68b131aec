//! Typed access to the tree of a file: each value with its path, each error with its line.
use std::collections::BTreeMap;

use super::{
    parse_error::ParseError,
    tree::{Entry, Node, Value, quoted},
};

/// A value and its path in the file.
pub(crate) struct Field<'a> {
    pub node: &'a Node,
    pub path: String,
}

impl<'a> Field<'a> {
    pub(crate) fn new(node: &'a Node, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { node, path }
    }

    /// An error of this value.
    pub(crate) fn error(&self, problem: impl AsRef<str>) -> ParseError {
        let problem = problem.as_ref();
        let problem = if self.path.is_empty() {
            problem.to_owned()
        } else {
            format!("{}: {problem}", self.path)
        };
        ParseError::new(self.node.line, problem)
    }

    fn wrong_type(&self, expected: &str) -> ParseError {
        self.error(format!("must be {expected}, not {}", self.node.type_name()))
    }

    /// Reads a map that has known keys only.
    pub(crate) fn fields(&self, known: &[&str]) -> Result<Fields<'a>, ParseError> {
        let entries = self.entries()?;
        if let Some(unknown) = entries.iter().find(|e| !known.contains(&e.key.as_str())) {
            let place = if self.path.is_empty() {
                String::new()
            } else {
                format!(" in {}", self.path)
            };
            let problem = format!(
                "unknown key {}{place} (known: {})",
                quoted(&unknown.key),
                known.join(", ")
            );
            return Err(ParseError::new(unknown.line, problem));
        }
        Ok(Fields {
            line: self.node.line,
            path: self.path.clone(),
            entries,
        })
    }

    /// Reads a map whose keys are the writer's own choice.
    pub(crate) fn entries(&self) -> Result<&'a [Entry], ParseError> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.wrong_type("a map")),
        }
    }

    /// Returns the value of one of `entries`.
    pub(crate) fn entry(&self, entry: &'a Entry) -> Self {
        Field::new(&entry.node, join(&self.path, &entry.key))
    }

    /// Reads the items of a list.
    pub(crate) fn items(&self) -> Result<Vec<Self>, ParseError> {
        match &self.node.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(i, node)| Field::new(node, format!("{}[{i}]", self.path)))
                .collect()),
            _ => Err(self.wrong_type("a list")),
        }
    }

    /// Reads a text, in quotes or not: `1.10` stays `1.10`.
    pub(crate) fn text(&self) -> Result<&'a str, ParseError> {
        match &self.node.value {
            Value::Scalar { text, .. } if text.contains('\0') => {
                Err(self.error("holds a NUL character"))
            }
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong_type("a text")),
        }
    }

    /// Reads a text that `fits`; `expected` says what would.
    pub(crate) fn word(
        &self,
        fits: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Result<String, ParseError> {
        let text = self.text()?;
        if fits(text) {
            Ok(text.to_owned())
        } else {
            Err(self.error(format!("{} is not {expected}", quoted(text))))
        }
    }

    /// Reads one text, or a list of them.
    pub(crate) fn one_or_more(&self) -> Result<Vec<Self>, ParseError> {
        match &self.node.value {
            Value::List(_) => self.items(),
            Value::Scalar { .. } => Ok(vec![Field::new(self.node, self.path.clone())]),
            _ => Err(self.wrong_type("a text or a list of texts")),
        }
    }

    /// Reads `true` or `false`.
    pub(crate) fn bool(&self) -> Result<bool, ParseError> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if text == "true" => Ok(true),
            Value::Scalar { text, plain: true } if text == "false" => Ok(false),
            _ => Err(self.error("must be true or false")),
        }
    }

    /// Reads a whole number from `low` to `high`.
    pub(crate) fn number<T>(&self, low: T, high: T) -> Result<T, ParseError>
    where
        T: std::str::FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        if let Value::Scalar { text, plain: true } = &self.node.value
            && !text.starts_with('+')
            && let Ok(number) = text.parse::<T>()
            && low <= number
            && number <= high
        {
            return Ok(number);
        }
        Err(self.error(format!("must be a whole number from {low} to {high}")))
    }

    /// Reads a map of texts.
    pub(crate) fn texts(&self) -> Result<BTreeMap<String, String>, ParseError> {
        self.entries()?
            .iter()
            .map(|e| Ok((e.key.clone(), self.entry(e).text()?.to_owned())))
            .collect()
    }
}

/// A map that has known keys only.
pub(crate) struct Fields<'a> {
    pub line: usize,
    pub path: String,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// Returns the value of a key; none: the key is missing.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|e| e.key == key)?;
        Some(Field::new(&entry.node, join(&self.path, key)))
    }

    /// Returns the value of a key that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<Field<'a>, ParseError> {
        self.get(key).ok_or_else(|| {
            let problem = format!("{} is missing", join(&self.path, key));
            ParseError::new(self.line, problem)
        })
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else if key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        format!("{path}.{key}")
    } else {
        format!("{path}[{}]", quoted(key))
    }
}
