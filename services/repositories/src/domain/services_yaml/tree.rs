//! YAML text as a tree that knows its lines: one document of maps, lists and scalars. What could make a small text large, or mean
//! different things to different readers, is refused: anchors, aliases, merge keys, tags, keys that stand twice, deep nesting.
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError};

use super::Fault;

/// No file nests deeper than 6; this bounds the parser's stack.
const DEEPEST: usize = 16;
/// Keys of one map: each new one is compared with those before it.
const MOST_KEYS: usize = 1_000;
/// A scalar of more is shortened in a message.
const LONGEST_QUOTED: usize = 60;

/// A value and the line where it starts, from 1.
#[derive(Debug)]
pub struct Node {
    pub line: usize,
    pub value: Value,
}

/// What stands there.
#[derive(Debug)]
pub enum Value {
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
pub struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

impl Node {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// A text as it stands in messages: in quotes, control characters escaped, not too long.
pub fn quoted(text: &str) -> String {
    if text.chars().count() <= LONGEST_QUOTED {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(LONGEST_QUOTED).collect();
    format!("{:?}", head + "…")
}

/// A container that is still open.
struct Open {
    node: Node,
    key: Option<(String, usize)>,
}

/// Reads one document; none for a text without any.
pub fn read(text: &str) -> Result<Option<Node>, Fault> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST + 1;
    options.block_nesting_limit = DEEPEST + 1;
    options.emit_comments = false;
    options.emit_unresolved_aliases = true;
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|e| syntax(&e))?;
        builder.take(event, span.start)?;
    }
    Ok(builder.root)
}

fn syntax(error: &ScanError) -> Fault {
    Fault::new(
        error.marker().line(),
        format!("no valid YAML: {}", error.info()),
    )
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, start: Marker) -> Result<(), Fault> {
        let line = start.line();
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault::new(line, "a second document; there must be one"));
                }
                Ok(())
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(Fault::new(
                line,
                "aliases are not taken here; use defaults and environments",
            )),
            Event::Scalar(text, style, anchor, tag) => {
                plainly(line, anchor, tag.is_some())?;
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
                plainly(line, anchor, tag.is_some())?;
                self.enter(line, Value::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                plainly(line, anchor, tag.is_some())?;
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

    fn enter(&mut self, line: usize, value: Value) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(Fault::new(line, "a key must be a text"));
        }
        if self.open.len() >= DEEPEST {
            return Err(Fault::new(line, format!("nested deeper than {DEEPEST}")));
        }
        let node = Node { line, value };
        self.open.push(Open { node, key: None });
        Ok(())
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
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
                        return Err(Fault::new(
                            node.line,
                            "merge keys are not taken here; use defaults and environments",
                        ));
                    }
                    if let Some(first) = entries.iter().find(|e| e.key == text) {
                        let problem = format!(
                            "key {} stands twice (first in line {})",
                            quoted(&text),
                            first.line
                        );
                        return Err(Fault::new(node.line, problem));
                    }
                    if entries.len() >= MOST_KEYS {
                        let problem = format!("more than {MOST_KEYS} keys in one map");
                        return Err(Fault::new(node.line, problem));
                    }
                    parent.key = Some((text, node.line));
                }
                (None, _) => return Err(Fault::new(node.line, "a key must be a text")),
            },
            Value::Null | Value::Scalar { .. } => {}
        }
        Ok(())
    }
}

fn plainly(line: usize, anchor: usize, tagged: bool) -> Result<(), Fault> {
    if anchor != 0 {
        return Err(Fault::new(
            line,
            "anchors are not taken here; use defaults and environments",
        ));
    }
    if tagged {
        return Err(Fault::new(line, "tags are not taken here"));
    }
    Ok(())
}
