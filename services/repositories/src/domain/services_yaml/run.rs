//! The fields of `run`, `defaults` and `environments`, how they override each other, and the run spec that they make.
use std::collections::BTreeMap;

use ck8s_types::{RunSpec, Timeouts, is_cpu, is_egress, is_memory};

use super::{fields::Field, parse_error::ParseError};
use crate::domain::fields::is_secret_name;

/// The keys of `run`, `defaults` and an environment.
pub(crate) const RUN_KEYS: &[&str] = &[
    "image",
    "command",
    "env",
    "secrets",
    "resources",
    "timeouts",
    "concurrency",
    "priority",
    "labels",
    "egress",
    "max_attempts",
];
/// The keys of `resources`.
pub(crate) const RESOURCES_KEYS: &[&str] = &["cpu", "memory"];
/// The keys of `timeouts`.
pub(crate) const TIMEOUTS_KEYS: &[&str] = &["unscheduled", "pending", "running"];
/// The keys of `concurrency`.
pub(crate) const CONCURRENCY_KEYS: &[&str] = &["group", "cancel_in_progress"];
/// The placeholders that a concurrency group may hold; each delivery fills them in.
pub(crate) const PLACEHOLDERS: &[&str] = &["repository", "number", "ref", "branch", "event"];
/// Bounds each timeout: no run waits or runs longer than a week.
const MAX_TIMEOUT_SECONDS: u64 = 7 * 86_400;
/// Bounds the hosts that one run may reach: each becomes rules of a network policy.
const MAX_EGRESS_HOSTS: usize = 100;

/// The fields of a run as the file has them; a field that is missing comes from the layer below.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    image: Option<String>,
    command: Option<Vec<String>>,
    env: BTreeMap<String, String>,
    secrets: Option<Vec<String>>,
    cpu: Option<String>,
    memory: Option<String>,
    unscheduled: Option<u32>,
    pending: Option<u32>,
    running: Option<u32>,
    group: Option<String>,
    cancel_in_progress: Option<bool>,
    priority: Option<i16>,
    labels: Option<Vec<String>>,
    egress: Option<Vec<String>>,
    max_attempts: Option<i32>,
}

impl Layer {
    /// Reads the fields of a run.
    pub(crate) fn read(field: &Field<'_>) -> Result<Self, ParseError> {
        let fields = field.fields(RUN_KEYS)?;
        let mut layer = Self {
            image: get(fields.get("image"), image)?,
            command: get(fields.get("command"), command)?,
            env: get(fields.get("env"), env)?.unwrap_or_default(),
            secrets: get(fields.get("secrets"), |field| {
                list(
                    field,
                    is_secret_name,
                    "a secret's name (A-Z, 0-9, _; not CK8S_*)",
                )
            })?,
            priority: get(fields.get("priority"), |field| field.number(-100, 100))?,
            labels: get(fields.get("labels"), |field| {
                list(field, is_label, "a label (1 to 100 bytes)")
            })?,
            egress: get(fields.get("egress"), egress)?,
            max_attempts: get(fields.get("max_attempts"), |field| field.number(1, 10))?,
            ..Self::default()
        };
        if let Some(field) = fields.get("resources") {
            let fields = field.fields(RESOURCES_KEYS)?;
            layer.cpu = get(fields.get("cpu"), |field| {
                field.word(is_cpu, "an amount of CPU (500m, 2)")
            })?;
            layer.memory = get(fields.get("memory"), |field| {
                field.word(is_memory, "an amount of memory (512Mi, 4Gi)")
            })?;
        }
        if let Some(field) = fields.get("timeouts") {
            let fields = field.fields(TIMEOUTS_KEYS)?;
            layer.unscheduled = get(fields.get("unscheduled"), duration)?;
            layer.pending = get(fields.get("pending"), duration)?;
            layer.running = get(fields.get("running"), duration)?;
        }
        if let Some(field) = fields.get("concurrency") {
            layer.concurrency(&field)?;
        }
        Ok(layer)
    }

    fn concurrency(&mut self, field: &Field<'_>) -> Result<(), ParseError> {
        if field.text().is_ok() {
            self.group = Some(group(field)?);
            return Ok(());
        }
        if field.entries().is_err() {
            return Err(field.error("must be a map, or a text, which is the group"));
        }
        let fields = field.fields(CONCURRENCY_KEYS)?;
        self.group = get(fields.get("group"), group)?;
        self.cancel_in_progress = get(fields.get("cancel_in_progress"), Field::bool)?;
        Ok(())
    }

    /// Lays this layer over `below`: maps merge, values and lists replace.
    pub(crate) fn over(self, below: Self) -> Self {
        let mut env = below.env;
        env.extend(self.env);
        Self {
            image: self.image.or(below.image),
            command: self.command.or(below.command),
            env,
            secrets: self.secrets.or(below.secrets),
            cpu: self.cpu.or(below.cpu),
            memory: self.memory.or(below.memory),
            unscheduled: self.unscheduled.or(below.unscheduled),
            pending: self.pending.or(below.pending),
            running: self.running.or(below.running),
            group: self.group.or(below.group),
            cancel_in_progress: self.cancel_in_progress.or(below.cancel_in_progress),
            priority: self.priority.or(below.priority),
            labels: self.labels.or(below.labels),
            egress: self.egress.or(below.egress),
            max_attempts: self.max_attempts.or(below.max_attempts),
        }
    }

    /// Makes the run spec, checked and complete; the error says in words what is wrong.
    pub(crate) fn spec(self) -> Result<RunSpec, String> {
        let default = Timeouts::default();
        let spec = RunSpec {
            image: self.image.unwrap_or_default(),
            command: self.command.unwrap_or_default(),
            env: self.env,
            secrets: self.secrets.unwrap_or_default(),
            cpu: self.cpu.unwrap_or_default(),
            memory: self.memory.unwrap_or_default(),
            timeouts: Timeouts {
                unscheduled: self.unscheduled.unwrap_or(default.unscheduled),
                pending: self.pending.unwrap_or(default.pending),
                running: self.running.unwrap_or(default.running),
            },
            concurrency_group: self.group,
            cancel_in_progress: self.cancel_in_progress.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            labels: self.labels.unwrap_or_default(),
            egress: self.egress.unwrap_or_default(),
            max_attempts: self.max_attempts.unwrap_or_default(),
        };
        if spec.image.is_empty() && spec.command.is_empty() {
            return Err("nothing runs: there must be an image or a command".to_owned());
        }
        if spec.cancel_in_progress && spec.concurrency_group.is_none() {
            return Err("concurrency.cancel_in_progress needs concurrency.group".to_owned());
        }
        spec.checked().map_err(|invalid| {
            let field = invalid.field.strip_prefix("spec.").unwrap_or("the spec");
            format!("{field}: {}", invalid.problem)
        })
    }
}

fn get<'a, T>(
    field: Option<Field<'a>>,
    read: impl FnOnce(&Field<'a>) -> Result<T, ParseError>,
) -> Result<Option<T>, ParseError> {
    field.map(|field| read(&field)).transpose()
}

fn list(
    field: &Field<'_>,
    fits: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<String>, ParseError> {
    let items = field.items()?;
    items
        .iter()
        .map(|item| item.word(&fits, expected))
        .collect()
}

fn image(field: &Field<'_>) -> Result<String, ParseError> {
    let fits = |t: &str| (1..=500).contains(&t.len()) && !t.contains(char::is_whitespace);
    field.word(fits, "the name of an image")
}

fn command(field: &Field<'_>) -> Result<Vec<String>, ParseError> {
    if let Ok(script) = field.text() {
        if script.trim().is_empty() {
            return Err(field.error("must not be empty"));
        }
        return Ok(vec!["/bin/sh".into(), "-c".into(), script.into()]);
    }
    let Ok(items) = field.items() else {
        return Err(field.error("must be a list (program and arguments) or a text for /bin/sh"));
    };
    let words = items
        .iter()
        .map(|item| item.text().map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    if words.first().is_none_or(String::is_empty) {
        return Err(field.error("must name a program"));
    }
    Ok(words)
}

fn env(field: &Field<'_>) -> Result<BTreeMap<String, String>, ParseError> {
    for entry in field.entries()? {
        if !is_env_name(&entry.key) {
            let problem = format!(
                "{}: {:?} is not a variable's name (letters, digits, _; not CK8S_*)",
                field.path, entry.key
            );
            return Err(ParseError::new(entry.line, problem));
        }
    }
    field.texts()
}

fn egress(field: &Field<'_>) -> Result<Vec<String>, ParseError> {
    let hosts = list(
        field,
        is_egress,
        "a host with its port (name:port), nor a CIDR",
    )?;
    if hosts.len() > MAX_EGRESS_HOSTS {
        return Err(field.error(format!("more than {MAX_EGRESS_HOSTS}")));
    }
    Ok(hosts)
}

fn duration(field: &Field<'_>) -> Result<u32, ParseError> {
    let text = field.word(
        |t| seconds(t).is_some_and(|s| (1..=MAX_TIMEOUT_SECONDS).contains(&s)),
        "a time of 1s to 7d (90s, 10m, 2h, 1d)",
    )?;
    Ok(seconds(&text)
        .and_then(|s| u32::try_from(s).ok())
        .unwrap_or_default())
}

fn seconds(text: &str) -> Option<u64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let number = digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| number)?
        .checked_mul(unit)
}

fn group(field: &Field<'_>) -> Result<String, ParseError> {
    let text = field.word(
        |t| (1..=200).contains(&t.len()) && !t.contains(char::is_control),
        "a group (1 to 200 bytes, one line)",
    )?;
    let mut rest = text.as_str();
    while let Some(brace) = rest.find(['{', '}']) {
        let after = &rest[brace..];
        let Some(end) = after.find('}').filter(|end| *end > 0) else {
            return Err(field.error("a brace is unmatched: {name} is a placeholder"));
        };
        let name = &after[1..end];
        if !PLACEHOLDERS.contains(&name) {
            let known = PLACEHOLDERS.join("}, {");
            return Err(field.error(format!(
                "unknown placeholder {{{name}}} (known: {{{known}}})"
            )));
        }
        rest = &after[end + 1..];
    }
    Ok(text)
}

fn is_env_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !name.starts_with("CK8S_")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

fn is_label(label: &str) -> bool {
    (1..=100).contains(&label.len()) && !label.contains(char::is_control)
}
