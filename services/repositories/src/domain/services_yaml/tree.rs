//! Reads YAML text into a tree of maps, lists and scalars, each with its line. It refuses what could make a small text
//! large, or mean different things to different readers: a second document, anchors, aliases, merge keys, tags,
//! repeated keys, deep nesting.
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError};

use super::parse_error::ParseError;

/// Bounds the parser's stack: no sensible file nests deeper than 6.
const MAX_DEPTH: usize = 16;
/// Bounds the keys of one map: each new key is compared with those before it.
const MAX_MAP_KEYS: usize = 1_000;
/// Bounds what a message quotes of a scalar.
const MAX_QUOTED_CHARS: usize = 60;

/// A value and the line where it starts, from 1.
#[derive(Debug)]
pub(crate) struct Node {
    pub line: usize,
    pub value: Value,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Value {
    /// Nothing, or `~`.
    Null,
    Scalar {
        text: String,
        /// Without quotes: `true` may be a bool, `7` a number.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

impl Node {
    /// Returns its type, in words.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Quotes a text for a message: control characters are escaped, and a long text is shortened.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().count() <= MAX_QUOTED_CHARS {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    format!("{:?}", head + "…")
}

/// A list or map whose end was not read yet.
struct OpenContainer {
    node: Node,
    key: Option<(String, usize)>,
}

/// Reads one document; none: the text has no document.
pub(crate) fn read(text: &str) -> Result<Option<Node>, ParseError> {
    let mut options = Options::default();
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    options.emit_comments = false;
    options.emit_unresolved_aliases = true;
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|e| syntax(&e))?;
        builder.handle(event, span.start)?;
    }
    Ok(builder.root)
}

fn syntax(error: &ScanError) -> ParseError {
    ParseError::new(
        error.marker().line(),
        format!("no valid YAML: {}", error.info()),
    )
}

#[derive(Default)]
struct Builder {
    open: Vec<OpenContainer>,
    root: Option<Node>,
    documents: usize,
}

impl Builder {
    fn handle(&mut self, event: Event<'_>, start: Marker) -> Result<(), ParseError> {
        let line = start.line();
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(ParseError::new(
                        line,
                        "a second document; there must be one",
                    ));
                }
                Ok(())
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(ParseError::new(
                line,
                "aliases are not allowed here; use defaults and environments",
            )),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor_and_tag(line, anchor, tag.is_some())?;
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null && !self.wants_key() {
                    Value::Null
                } else {
                    let text = text.into_owned();
                    Value::Scalar { text, plain }
                };
                self.place(Node { line, value })
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_anchor_and_tag(line, anchor, tag.is_some())?;
                self.enter(line, Value::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_anchor_and_tag(line, anchor, tag.is_some())?;
                self.enter(line, Value::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => self.place(done.node),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|o| matches!(o.node.value, Value::Map(_)) && o.key.is_none())
    }

    fn enter(&mut self, line: usize, value: Value) -> Result<(), ParseError> {
        if self.wants_key() {
            return Err(ParseError::new(line, "a key must be a text"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(ParseError::new(
                line,
                format!("nested deeper than {MAX_DEPTH}"),
            ));
        }
        let node = Node { line, value };
        self.open.push(OpenContainer { node, key: None });
        Ok(())
    }

    fn place(&mut self, node: Node) -> Result<(), ParseError> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.value {
            Value::List(list) => list.push(node),
            Value::Map(entries) => match (parent.key.take(), node.value) {
                (Some((key, line)), value) => {
                    let node = Node {
                        line: node.line,
                        value,
                    };
                    entries.push(Entry { key, line, node });
                }
                (None, Value::Scalar { text, plain }) => {
                    if plain && text == "<<" {
                        return Err(ParseError::new(
                            node.line,
                            "merge keys are not allowed here; use defaults and environments",
                        ));
                    }
                    if let Some(first) = entries.iter().find(|e| e.key == text) {
                        let problem = format!(
                            "key {} is used twice (first in line {})",
                            quoted(&text),
                            first.line
                        );
                        return Err(ParseError::new(node.line, problem));
                    }
                    if entries.len() >= MAX_MAP_KEYS {
                        let problem = format!("more than {MAX_MAP_KEYS} keys in one map");
                        return Err(ParseError::new(node.line, problem));
                    }
                    parent.key = Some((text, node.line));
                }
                (None, _) => return Err(ParseError::new(node.line, "a key must be a text")),
            },
            Value::Null | Value::Scalar { .. } => {}
        }
        Ok(())
    }
}

fn refuse_anchor_and_tag(line: usize, anchor: usize, tagged: bool) -> Result<(), ParseError> {
    if anchor != 0 {
        return Err(ParseError::new(
            line,
            "anchors are not allowed here; use defaults and environments",
        ));
    }
    if tagged {
        return Err(ParseError::new(line, "tags are not allowed here"));
    }
    Ok(())
}
