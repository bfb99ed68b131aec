//! Parses a services.yaml: from its text to triggers with complete specs, or to the first error with its line.
//! docs/services-yaml.md explains the syntax, and docs/services.schema.json describes the same for editors.
use std::collections::BTreeMap;

use ck8s_schedule::{Schedule, ScheduleError};
use ck8s_types::{Invalid, RunSpec};
use globset::GlobBuilder;

use super::{
    fields::{Field, Fields},
    parse_error::ParseError,
    run::Layer,
    services::{ForkPolicy, Services, Trigger},
    tree::{self, Node, quoted},
    warnings::{self, MAX_WARNINGS},
};

/// The keys of the file.
pub(crate) const FILE_KEYS: &[&str] = &["version", "defaults", "environments", "triggers"];
/// The keys of a trigger.
pub(crate) const TRIGGER_KEYS: &[&str] = &["name", "on", "environment", "run", "stop"];
/// The keys of `on`.
pub(crate) const ON_KEYS: &[&str] = &[
    "event",
    "actions",
    "labels",
    "comment",
    "branches",
    "tags",
    "paths",
    "skip_markers",
    "allow_bots",
    "forks",
    "cron",
    "timezone",
];
/// The event that ck8s itself makes when a time is due.
const SCHEDULE: &str = "schedule";
/// What is wrong with the time of any other event.
const NO_SCHEDULE: &str = "only the event schedule has a time";
/// Bounds the text: it is stored in a row and parsed in memory.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Bounds the triggers: each is tried for each delivery.
const MAX_TRIGGERS: usize = 100;
/// Bounds what all triggers run, with their defaults filled in: a small text could grow large.
const MAX_EXPANDED_BYTES: usize = 256 * 1024;
/// Bounds a list of `on`: each entry is tried for each delivery.
const MAX_LIST_ENTRIES: usize = 100;

/// Parses a services.yaml; an empty text has no triggers.
///
/// # Errors
/// [`Invalid`] for the field `services_text`, with the line and what is wrong there.
pub(crate) fn parse(text: &str) -> Result<Services, Invalid> {
    let invalid = |problem| Invalid {
        field: "services_text",
        problem,
    };
    if text.len() > MAX_TEXT_BYTES {
        return Err(invalid("larger than 64 KiB".to_owned()));
    }
    if text.trim().is_empty() {
        return Ok(Services::default());
    }
    let root = tree::read(text).map_err(|error| invalid(error.to_string()))?;
    let Some(root) = root else {
        return Err(invalid("line 1: version is missing".to_owned()));
    };
    file(&root).map_err(|error| invalid(error.to_string()))
}

fn file(root: &Node) -> Result<Services, ParseError> {
    let top = Field::new(root, "").fields(FILE_KEYS)?;
    top.required("version")?
        .number(1, 1)
        .map_err(|f| ParseError::new(f.line, "version: must be 1"))?;
    let defaults = match top.get("defaults") {
        Some(field) => Layer::read(&field)?,
        None => Layer::default(),
    };
    let environments = match top.get("environments") {
        Some(field) => environments(&field)?,
        None => BTreeMap::new(),
    };
    let Some(list) = top.get("triggers") else {
        return Ok(Services::default());
    };
    let items = list.items()?;
    if items.len() > MAX_TRIGGERS {
        return Err(list.error(format!("more than {MAX_TRIGGERS}")));
    }
    let mut triggers: Vec<Trigger> = Vec::with_capacity(items.len());
    let mut all_warnings = Vec::new();
    let mut expanded = 0;
    for item in &items {
        let (trigger, warnings) = trigger(item, &defaults, &environments)?;
        all_warnings.extend(warnings.iter().map(ToString::to_string));
        if triggers.iter().any(|t| t.name == trigger.name) {
            let problem = format!("the name {} is used twice", quoted(&trigger.name));
            return Err(item.error(problem));
        }
        expanded += size(&trigger.spec);
        if expanded > MAX_EXPANDED_BYTES {
            return Err(item
                .error("the specs of all triggers, defaults filled in, are larger than 256 KiB"));
        }
        triggers.push(trigger);
    }
    all_warnings.truncate(MAX_WARNINGS);
    Ok(Services {
        triggers,
        warnings: all_warnings,
    })
}

fn environments(field: &Field<'_>) -> Result<BTreeMap<String, Layer>, ParseError> {
    let mut environments = BTreeMap::new();
    for entry in field.entries()? {
        let value = field.entry(entry);
        if !is_name(&entry.key) {
            let problem = format!("{} is not {NAME_RULE}", quoted(&entry.key));
            return Err(ParseError::new(
                entry.line,
                format!("{}: {problem}", field.path),
            ));
        }
        environments.insert(entry.key.clone(), Layer::read(&value)?);
    }
    Ok(environments)
}

fn trigger(
    field: &Field<'_>,
    defaults: &Layer,
    environments: &BTreeMap<String, Layer>,
) -> Result<(Trigger, Vec<ParseError>), ParseError> {
    let fields = field.fields(TRIGGER_KEYS)?;
    let name = fields.required("name")?.word(is_name, NAME_RULE)?;
    let on = fields.required("on")?.fields(ON_KEYS)?;
    let event = on.required("event")?.word(is_event, "an event's name")?;
    let (branches, branches_ignore) = patterns(on.get("branches"))?;
    let (tags, tags_ignore) = patterns(on.get("tags"))?;
    let (paths, paths_ignore) = patterns(on.get("paths"))?;
    let skip_markers = on.get("skip_markers").map_or(Ok(true), |f| f.bool())?;
    let comment = match on.get("comment") {
        Some(field) => field.word(is_command, "a command (one word that starts with /)")?,
        None => String::new(),
    };
    let (allow_bots, allowed_bots) = bots(on.get("allow_bots"))?;
    let (cron, timezone) = schedule(&on, &event)?;
    let warnings = warnings::of_trigger(&on, &event);
    let trigger = Trigger {
        name,
        event,
        actions: words(on.get("actions"), is_event, "an action's name")?,
        labels: words(on.get("labels"), is_line, "a label (1 to 200 bytes)")?,
        comment,
        branches,
        branches_ignore,
        tags,
        tags_ignore,
        paths,
        paths_ignore,
        ignores_skip_markers: !skip_markers,
        allow_bots,
        allowed_bots,
        forks: forks(on.get("forks"))?,
        stop: match fields.get("stop") {
            Some(field) => field.bool()?,
            None => false,
        },
        cron,
        timezone,
        spec: spec(field, &fields, defaults, environments)?,
    };
    Ok((trigger, warnings))
}

/// Reads when a trigger of the event `schedule` is due, and in which time zone.
fn schedule(on: &Fields<'_>, event: &str) -> Result<(String, String), ParseError> {
    let (cron, timezone) = (on.get("cron"), on.get("timezone"));
    let cron = match (cron, &timezone) {
        (Some(field), _) if event != SCHEDULE => return Err(field.error(NO_SCHEDULE)),
        (None, Some(field)) if event != SCHEDULE => return Err(field.error(NO_SCHEDULE)),
        (None, Some(field)) => return Err(field.error("needs on.cron")),
        (None, None) => return Ok(Default::default()),
        (Some(cron), _) => cron,
    };
    let text = cron.text()?;
    let zone = timezone.as_ref().map_or(Ok(""), Field::text)?;
    match Schedule::parse(text, zone) {
        Ok(_) => Ok((text.to_owned(), zone.to_owned())),
        Err(error @ ScheduleError::TimeZone) => {
            let problem = format!("{} {error}", quoted(zone));
            Err(timezone.as_ref().unwrap_or(&cron).error(problem))
        }
        Err(error) => Err(cron.error(format!("{} {error}", quoted(text)))),
    }
}

/// Makes the spec of what a trigger runs: `defaults`, its environment over them, its `run` over both.
fn spec(
    field: &Field<'_>,
    fields: &Fields<'_>,
    defaults: &Layer,
    environments: &BTreeMap<String, Layer>,
) -> Result<RunSpec, ParseError> {
    let run = fields.get("run");
    let mut layer = match &run {
        Some(run) => Layer::read(run)?,
        None => Layer::default(),
    };
    if let Some(field) = fields.get("environment") {
        let name = field.text()?;
        let environment = environments
            .get(name)
            .ok_or_else(|| field.error(format!("no environment {}", quoted(name))))?;
        layer = layer.over(environment.clone());
    }
    let spec = layer.over(defaults.clone()).spec();
    spec.map_err(|problem| run.as_ref().unwrap_or(field).error(problem))
}

fn words(
    field: Option<Field<'_>>,
    fits: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<String>, ParseError> {
    let Some(field) = field else {
        return Ok(Vec::new());
    };
    let items = field.one_or_more()?;
    if items.is_empty() {
        return Err(field.error("must not be empty; leave it out for any"));
    }
    if items.len() > MAX_LIST_ENTRIES {
        return Err(field.error(format!("more than {MAX_LIST_ENTRIES}")));
    }
    items
        .iter()
        .map(|item| item.word(&fits, expected))
        .collect()
}

/// Reads patterns: those that take, and those (after `!`) that ignore.
fn patterns(field: Option<Field<'_>>) -> Result<(Vec<String>, Vec<String>), ParseError> {
    let all = words(field, is_pattern, "a glob")?;
    let (ignore, take): (Vec<_>, Vec<_>) = all.into_iter().partition(|p| p.starts_with('!'));
    let ignore = ignore.iter().map(|p| p[1..].to_owned()).collect();
    Ok((take, ignore))
}

/// What a name may hold, in words.
pub(crate) const NAME_RULE: &str =
    "a name (letters, digits, space, dot, dash, underscore; at most 100 characters)";

/// Reads which bots may trigger: whether any may, and those that are named.
fn bots(field: Option<Field<'_>>) -> Result<(bool, Vec<String>), ParseError> {
    match field {
        Some(field) if field.bool().is_ok() => Ok((field.bool()?, Vec::new())),
        // 1 alone is meant as a boolean by whoever writes it.
        Some(field) if field.number(0, u64::MAX).is_ok() => Err(field.error(BOT_PROBLEM)),
        field => words(field, is_account, BOT_RULE).map(|names| (false, names)),
    }
}

/// Reads what happens with code of another repository.
fn forks(field: Option<Field<'_>>) -> Result<ForkPolicy, ParseError> {
    let Some(field) = field else {
        return Ok(ForkPolicy::default());
    };
    let word = field.text()?;
    let policy = ForkPolicy::ALL.into_iter().find(|p| p.as_str() == word);
    policy.ok_or_else(|| field.error("must be deny, allow or allow_with_secrets"))
}

/// What names a bot, in words.
const BOT_RULE: &str = "the login or the id of a bot (dependabot[bot]); true stands for any bot";
/// What is wrong with a single number.
const BOT_PROBLEM: &str = "must be true, false, or a list of logins and ids of bots";

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

/// Reports whether a text may be the login or the id of an account. The words that YAML 1.1 takes for a boolean are
/// none: whoever writes them means another thing.
fn is_account(text: &str) -> bool {
    let name = text.strip_suffix("[bot]").unwrap_or(text);
    let is_boolean = ["true", "false", "yes", "no", "on", "off"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    (1..=100).contains(&name.len())
        && !is_boolean
        && name
            .bytes()
            .all(|b| b == b'-' || b == b'_' || b.is_ascii_alphanumeric())
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
