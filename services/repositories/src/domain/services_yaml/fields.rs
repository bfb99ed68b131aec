//! Typed access to the tree: each value with its path, each fault with its line.
use std::collections::BTreeMap;

use super::{
    Fault,
    tree::{Entry, Node, Value, quoted},
};

/// A value and where it stands.
pub struct At<'a> {
    pub node: &'a Node,
    pub path: String,
}

impl<'a> At<'a> {
    pub fn new(node: &'a Node, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { node, path }
    }

    /// What is wrong here.
    pub fn fault(&self, problem: impl AsRef<str>) -> Fault {
        let problem = problem.as_ref();
        let problem = if self.path.is_empty() {
            problem.to_owned()
        } else {
            format!("{}: {problem}", self.path)
        };
        Fault::new(self.node.line, problem)
    }

    fn wrong_kind(&self, wanted: &str) -> Fault {
        self.fault(format!("must be {wanted}, not {}", self.node.kind()))
    }

    /// A map with known keys only.
    pub fn fields(&self, known: &[&str]) -> Result<Fields<'a>, Fault> {
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
            return Err(Fault::new(unknown.line, problem));
        }
        Ok(Fields {
            line: self.node.line,
            path: self.path.clone(),
            entries,
        })
    }

    /// A map with keys of the writer's own choice.
    pub fn entries(&self) -> Result<&'a [Entry], Fault> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.wrong_kind("a map")),
        }
    }

    /// The value of one of `entries`.
    pub fn entry(&self, entry: &'a Entry) -> Self {
        At::new(&entry.node, join(&self.path, &entry.key))
    }

    /// A list's items.
    pub fn items(&self) -> Result<Vec<Self>, Fault> {
        match &self.node.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(i, node)| At::new(node, format!("{}[{i}]", self.path)))
                .collect()),
            _ => Err(self.wrong_kind("a list")),
        }
    }

    /// A text, in quotes or not: `1.10` stays `1.10`.
    pub fn text(&self) -> Result<&'a str, Fault> {
        match &self.node.value {
            Value::Scalar { text, .. } if text.contains('\0') => {
                Err(self.fault("holds a NUL character"))
            }
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong_kind("a text")),
        }
    }

    /// A text that is not empty and that `fits`.
    pub fn word(&self, fits: impl Fn(&str) -> bool, wanted: &str) -> Result<String, Fault> {
        let text = self.text()?;
        if fits(text) {
            Ok(text.to_owned())
        } else {
            Err(self.fault(format!("{} is not {wanted}", quoted(text))))
        }
    }

    /// One text or a list of them.
    pub fn one_or_more(&self) -> Result<Vec<Self>, Fault> {
        match &self.node.value {
            Value::List(_) => self.items(),
            Value::Scalar { .. } => Ok(vec![At::new(self.node, self.path.clone())]),
            _ => Err(self.wrong_kind("a text or a list of texts")),
        }
    }

    /// `true` or `false`.
    pub fn bool(&self) -> Result<bool, Fault> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if text == "true" => Ok(true),
            Value::Scalar { text, plain: true } if text == "false" => Ok(false),
            _ => Err(self.fault("must be true or false")),
        }
    }

    /// A whole number from `low` to `high`.
    pub fn number<T>(&self, low: T, high: T) -> Result<T, Fault>
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
        Err(self.fault(format!("must be a whole number from {low} to {high}")))
    }

    /// A map of texts.
    pub fn texts(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.entries()?
            .iter()
            .map(|e| Ok((e.key.clone(), self.entry(e).text()?.to_owned())))
            .collect()
    }
}

/// A map whose keys are all known.
pub struct Fields<'a> {
    pub line: usize,
    pub path: String,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        let entry = self.entries.iter().find(|e| e.key == key)?;
        Some(At::new(&entry.node, join(&self.path, key)))
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &str) -> Result<At<'a>, Fault> {
        self.get(key).ok_or_else(|| {
            let problem = format!("{} is missing", join(&self.path, key));
            Fault::new(self.line, problem)
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
