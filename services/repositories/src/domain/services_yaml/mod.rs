//! services.yaml: from its text to triggers with complete specs, or the first fault with its line. The words are explained in
//! docs/services-yaml.md, and docs/services.schema.json says the same for editors.
mod fields;
mod run;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
mod tree;

use std::{collections::BTreeMap, fmt};

use ck8s_types::{Invalid, RunSpec};
use globset::GlobBuilder;

use self::{
    fields::{At, Fields},
    run::Layer,
    tree::{Node, quoted},
};

/// The keys of the file.
const TOP: &[&str] = &["version", "defaults", "environments", "triggers"];
/// The keys of a trigger.
const TRIGGER: &[&str] = &["name", "on", "environment", "run"];
/// The keys of `on`.
const ON: &[&str] = &[
    "event",
    "actions",
    "labels",
    "comment",
    "branches",
    "paths",
    "allow_bots",
];
/// A text of more is refused: it lies in a row and is parsed in memory.
const LARGEST_TEXT: usize = 64 * 1024;
/// More triggers are refused: each is tried for each delivery.
const MOST_TRIGGERS: usize = 100;
/// What all triggers run, with their defaults filled in: bounds what a small text can grow to.
const LARGEST_EXPANDED: usize = 256 * 1024;
/// Entries of a list of `on`: each is tried for each delivery.
const MOST_ENTRIES: usize = 100;

/// What a services.yaml says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// In the file's order; the first that matches makes the run.
    pub triggers: Vec<Trigger>,
}

/// When something runs, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Unique in the file.
    pub name: String,
    /// The provider's event name.
    pub event: String,
    /// The payload's action; empty: any.
    pub actions: Vec<String>,
    /// Labels of the issue or pull request; empty: any.
    pub labels: Vec<String>,
    /// The first word of the comment, with its slash; empty: any.
    pub comment: String,
    /// Globs; empty: any.
    pub branches: Vec<String>,
    /// Globs of what does not count.
    pub branches_ignore: Vec<String>,
    /// Globs; empty: any.
    pub paths: Vec<String>,
    /// Globs of what does not count.
    pub paths_ignore: Vec<String>,
    /// Bots may trigger.
    pub allow_bots: bool,
    /// What runs; its concurrency group still holds placeholders.
    pub spec: RunSpec,
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    problem: String,
}

impl Fault {
    fn new(line: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { line, problem }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line.max(1), self.problem)
    }
}

/// Reads a services.yaml; an empty text has no triggers.
///
/// # Errors
/// [`Invalid`] for the field `services_text`, with the line and what is wrong there.
pub fn parse(text: &str) -> Result<Services, Invalid> {
    let invalid = |problem| Invalid {
        field: "services_text",
        problem,
    };
    if text.len() > LARGEST_TEXT {
        return Err(invalid("larger than 64 KiB".to_owned()));
    }
    if text.trim().is_empty() {
        return Ok(Services::default());
    }
    let root = tree::read(text).map_err(|fault| invalid(fault.to_string()))?;
    let Some(root) = root else {
        return Err(invalid("line 1: version is missing".to_owned()));
    };
    file(&root).map_err(|fault| invalid(fault.to_string()))
}

fn file(root: &Node) -> Result<Services, Fault> {
    let top = At::new(root, "").fields(TOP)?;
    top.need("version")?
        .number(1, 1)
        .map_err(|f| Fault::new(f.line, "version: must be 1"))?;
    let defaults = match top.get("defaults") {
        Some(at) => Layer::read(&at)?,
        None => Layer::default(),
    };
    let environments = match top.get("environments") {
        Some(at) => environments(&at)?,
        None => BTreeMap::new(),
    };
    let Some(list) = top.get("triggers") else {
        return Ok(Services::default());
    };
    let items = list.items()?;
    if items.len() > MOST_TRIGGERS {
        return Err(list.fault(format!("more than {MOST_TRIGGERS}")));
    }
    let mut triggers: Vec<Trigger> = Vec::with_capacity(items.len());
    let mut expanded = 0;
    for item in &items {
        let trigger = trigger(item, &defaults, &environments)?;
        if triggers.iter().any(|t| t.name == trigger.name) {
            let problem = format!("the name {} stands twice", quoted(&trigger.name));
            return Err(item.fault(problem));
        }
        expanded += size(&trigger.spec);
        if expanded > LARGEST_EXPANDED {
            return Err(
                item.fault("what runs is larger than 256 KiB in all triggers, defaults filled in")
            );
        }
        triggers.push(trigger);
    }
    Ok(Services { triggers })
}

fn environments(at: &At<'_>) -> Result<BTreeMap<String, Layer>, Fault> {
    let mut environments = BTreeMap::new();
    for entry in at.entries()? {
        let value = at.entry(entry);
        if !is_name(&entry.key) {
            let problem = format!("{} is not {NAME}", quoted(&entry.key));
            return Err(Fault::new(entry.line, format!("{}: {problem}", at.path)));
        }
        environments.insert(entry.key.clone(), Layer::read(&value)?);
    }
    Ok(environments)
}

fn trigger(
    at: &At<'_>,
    defaults: &Layer,
    environments: &BTreeMap<String, Layer>,
) -> Result<Trigger, Fault> {
    let fields = at.fields(TRIGGER)?;
    let name = fields.need("name")?.word(is_name, NAME)?;
    let on = fields.need("on")?.fields(ON)?;
    let event = on.need("event")?.word(is_event, "an event's name")?;
    let (branches, branches_ignore) = patterns(on.get("branches"))?;
    let (paths, paths_ignore) = patterns(on.get("paths"))?;
    let comment = match on.get("comment") {
        Some(at) => at.word(is_command, "a command (one word that starts with /)")?,
        None => String::new(),
    };
    Ok(Trigger {
        name,
        event,
        actions: words(on.get("actions"), is_event, "an action's name")?,
        labels: words(on.get("labels"), is_line, "a label (1 to 200 bytes)")?,
        comment,
        branches,
        branches_ignore,
        paths,
        paths_ignore,
        allow_bots: on.get("allow_bots").map_or(Ok(false), |at| at.bool())?,
        spec: spec(at, &fields, defaults, environments)?,
    })
}

/// What a trigger runs: `defaults`, its environment over it, its `run` over both.
fn spec(
    at: &At<'_>,
    fields: &Fields<'_>,
    defaults: &Layer,
    environments: &BTreeMap<String, Layer>,
) -> Result<RunSpec, Fault> {
    let run = fields.get("run");
    let mut layer = match &run {
        Some(run) => Layer::read(run)?,
        None => Layer::default(),
    };
    if let Some(at) = fields.get("environment") {
        let wanted = at.text()?;
        let environment = environments
            .get(wanted)
            .ok_or_else(|| at.fault(format!("no environment {}", quoted(wanted))))?;
        layer = layer.over(environment.clone());
    }
    let spec = layer.over(defaults.clone()).spec();
    spec.map_err(|problem| run.as_ref().unwrap_or(at).fault(problem))
}

fn words(
    at: Option<At<'_>>,
    fits: impl Fn(&str) -> bool,
    wanted: &str,
) -> Result<Vec<String>, Fault> {
    let Some(at) = at else {
        return Ok(Vec::new());
    };
    let items = at.one_or_more()?;
    if items.is_empty() {
        return Err(at.fault("must not be empty; leave it out for any"));
    }
    if items.len() > MOST_ENTRIES {
        return Err(at.fault(format!("more than {MOST_ENTRIES}")));
    }
    items.iter().map(|item| item.word(&fits, wanted)).collect()
}

/// Patterns that count, and those that do not.
fn patterns(at: Option<At<'_>>) -> Result<(Vec<String>, Vec<String>), Fault> {
    let all = words(at, is_pattern, "a glob")?;
    let (ignore, take): (Vec<_>, Vec<_>) = all.into_iter().partition(|p| p.starts_with('!'));
    let ignore = ignore.iter().map(|p| p[1..].to_owned()).collect();
    Ok((take, ignore))
}

const NAME: &str = "a name (letters, digits, space, dot, dash, underscore; at most 100 characters)";

fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.trim() == text
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" ._-".contains(&b))
}

fn is_event(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())
}

fn is_line(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.contains(char::is_control)
}

fn is_command(text: &str) -> bool {
    (2..=50).contains(&text.len())
        && text.starts_with('/')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn is_pattern(text: &str) -> bool {
    let glob = text.strip_prefix('!').unwrap_or(text);
    is_line(glob)
        && GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .is_ok()
}

fn size(spec: &RunSpec) -> usize {
    let texts = [&spec.command, &spec.secrets, &spec.labels, &spec.egress];
    let env: usize = spec.env.iter().map(|(k, v)| k.len() + v.len()).sum();
    let lists: usize = texts.into_iter().flatten().map(|t| t.len() + 1).sum();
    spec.image.len() + env + lists
}
