//! What runs: the fields of `run`, `defaults` and `environments`, how they lie over each other, and the spec that follows.
use std::{collections::BTreeMap, net::IpAddr};

use ck8s_types::{RunSpec, Timeouts};

use super::{Fault, fields::At};

/// The keys of `run`, `defaults` and an environment.
pub const RUN: &[&str] = &[
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
pub const RESOURCES: &[&str] = &["cpu", "memory"];
/// The keys of `timeouts`.
pub const TIMEOUTS: &[&str] = &["unscheduled", "pending", "running"];
/// The keys of `concurrency`.
pub const CONCURRENCY: &[&str] = &["group", "cancel_in_progress"];
/// What a concurrency group may hold, filled in for each delivery.
pub const PLACEHOLDERS: &[&str] = &["repository", "number", "ref", "branch", "event"];
/// A week: no run waits or runs longer.
const LONGEST_TIMEOUT: u64 = 7 * 86_400;
/// Hosts that one run may reach: each becomes rules of a network policy.
const MOST_EGRESS: usize = 100;

/// Fields of a run as the file has them: what is not there comes from what lies below.
#[derive(Clone, Default)]
pub struct Layer {
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
    pub fn read(at: &At<'_>) -> Result<Self, Fault> {
        let fields = at.fields(RUN)?;
        let mut layer = Self {
            image: get(fields.get("image"), image)?,
            command: get(fields.get("command"), command)?,
            env: get(fields.get("env"), env)?.unwrap_or_default(),
            secrets: get(fields.get("secrets"), |at| {
                list(
                    at,
                    is_secret_name,
                    "a secret's name (A-Z, 0-9, _; not CK8S_*)",
                )
            })?,
            priority: get(fields.get("priority"), |at| at.number(-100, 100))?,
            labels: get(fields.get("labels"), |at| {
                list(at, is_label, "a label (1 to 100 bytes)")
            })?,
            egress: get(fields.get("egress"), egress)?,
            max_attempts: get(fields.get("max_attempts"), |at| at.number(1, 10))?,
            ..Self::default()
        };
        if let Some(at) = fields.get("resources") {
            let fields = at.fields(RESOURCES)?;
            layer.cpu = get(fields.get("cpu"), |at| {
                at.word(is_cpu, "an amount of CPU (500m, 2)")
            })?;
            layer.memory = get(fields.get("memory"), |at| {
                at.word(is_memory, "an amount of memory (512Mi, 4Gi)")
            })?;
        }
        if let Some(at) = fields.get("timeouts") {
            let fields = at.fields(TIMEOUTS)?;
            layer.unscheduled = get(fields.get("unscheduled"), duration)?;
            layer.pending = get(fields.get("pending"), duration)?;
            layer.running = get(fields.get("running"), duration)?;
        }
        if let Some(at) = fields.get("concurrency") {
            layer.concurrency(&at)?;
        }
        Ok(layer)
    }

    fn concurrency(&mut self, at: &At<'_>) -> Result<(), Fault> {
        if at.text().is_ok() {
            self.group = Some(group(at)?);
            return Ok(());
        }
        if at.entries().is_err() {
            return Err(at.fault("must be a map, or a text, which is the group"));
        }
        let fields = at.fields(CONCURRENCY)?;
        self.group = get(fields.get("group"), group)?;
        self.cancel_in_progress = get(fields.get("cancel_in_progress"), At::bool)?;
        Ok(())
    }

    /// This over `below`: maps merge, values and lists replace.
    pub fn over(self, below: Self) -> Self {
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

    /// The spec, checked and completed; else what is wrong, in words.
    pub fn spec(self) -> Result<RunSpec, String> {
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
    at: Option<At<'a>>,
    read: impl FnOnce(&At<'a>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    at.map(|at| read(&at)).transpose()
}

fn list(at: &At<'_>, fits: impl Fn(&str) -> bool, wanted: &str) -> Result<Vec<String>, Fault> {
    let items = at.items()?;
    items.iter().map(|item| item.word(&fits, wanted)).collect()
}

fn image(at: &At<'_>) -> Result<String, Fault> {
    let fits = |t: &str| (1..=500).contains(&t.len()) && !t.contains(char::is_whitespace);
    at.word(fits, "the name of an image")
}

fn command(at: &At<'_>) -> Result<Vec<String>, Fault> {
    if let Ok(script) = at.text() {
        if script.trim().is_empty() {
            return Err(at.fault("must not be empty"));
        }
        return Ok(vec!["/bin/sh".into(), "-c".into(), script.into()]);
    }
    let Ok(items) = at.items() else {
        return Err(at.fault("must be a list (program and arguments) or a text for /bin/sh"));
    };
    let words = items
        .iter()
        .map(|item| item.text().map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    if words.first().is_none_or(String::is_empty) {
        return Err(at.fault("must name a program"));
    }
    Ok(words)
}

fn env(at: &At<'_>) -> Result<BTreeMap<String, String>, Fault> {
    for entry in at.entries()? {
        if !is_env_name(&entry.key) {
            let problem = format!(
                "{}: {:?} is not a variable's name (letters, digits, _; not CK8S_*)",
                at.path, entry.key
            );
            return Err(Fault::new(entry.line, problem));
        }
    }
    at.texts()
}

fn egress(at: &At<'_>) -> Result<Vec<String>, Fault> {
    let hosts = list(at, is_host, "a host with its port (name:port), nor a CIDR")?;
    if hosts.len() > MOST_EGRESS {
        return Err(at.fault(format!("more than {MOST_EGRESS}")));
    }
    Ok(hosts)
}

fn duration(at: &At<'_>) -> Result<u32, Fault> {
    let text = at.word(
        |t| seconds(t).is_some_and(|s| (1..=LONGEST_TIMEOUT).contains(&s)),
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

fn group(at: &At<'_>) -> Result<String, Fault> {
    let text = at.word(
        |t| (1..=200).contains(&t.len()) && !t.contains(char::is_control),
        "a group (1 to 200 bytes, one line)",
    )?;
    let mut rest = text.as_str();
    while let Some(brace) = rest.find(['{', '}']) {
        let after = &rest[brace..];
        let Some(end) = after.find('}').filter(|end| *end > 0) else {
            return Err(at.fault("a brace stands alone: {name} is a placeholder"));
        };
        let name = &after[1..end];
        if !PLACEHOLDERS.contains(&name) {
            let known = PLACEHOLDERS.join("}, {");
            return Err(at.fault(format!(
                "unknown placeholder {{{name}}} (known: {{{known}}})"
            )));
        }
        rest = &after[end + 1..];
    }
    Ok(text)
}

fn is_secret_name(name: &str) -> bool {
    crate::domain::repository::is_secret_name(name)
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

/// Digits, perhaps a dot and more digits; not zero.
fn is_amount(number: &str) -> bool {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |t: &str| (1..=12).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part) && number.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

fn is_cpu(text: &str) -> bool {
    is_amount(text.strip_suffix('m').unwrap_or(text))
}

fn is_memory(text: &str) -> bool {
    let units = ["Ki", "Mi", "Gi", "Ti", "k", "M", "G", "T"];
    is_amount(
        units
            .iter()
            .find_map(|u| text.strip_suffix(u))
            .unwrap_or(text),
    )
}

fn is_host(text: &str) -> bool {
    if let Some((ip, bits)) = text.split_once('/') {
        let most = match ip.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        return bits.parse::<u8>().is_ok_and(|bits| bits <= most);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let name = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b == b'-' || b.is_ascii_alphanumeric())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(name) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
