//! What can never match, or not as it was meant: warnings and no errors, because a file that was good yesterday stays
//! in force.
use super::{
    events::{self, ACTIONS, EVENTS},
    fields::{Field, Fields},
    parse_error::ParseError,
    tree::quoted,
};

/// Bounds the warnings of a file: nobody reads more.
pub(super) const MAX_WARNINGS: usize = 50;
/// From this difference on, two words are not the same word with a slip.
const MAX_SLIP: usize = 2;
/// Stands for the default branch.
const DEFAULT_BRANCH: &str = "$default";

/// Returns the warnings about what a trigger waits for.
pub(super) fn of_trigger(on: &Fields<'_>, event: &str) -> Vec<ParseError> {
    let mut warnings = Vec::new();
    if !EVENTS.contains(&event) {
        warnings.extend(on.get("event").map(|field| unknown_event(&field, event)));
    } else {
        warnings.extend(useless_keys(on, event));
    }
    if event == "schedule" && on.get("cron").is_none() {
        let problem = "a schedule without cron is never due";
        warnings.extend(on.get("event").map(|field| field.error(problem)));
    }
    warnings.extend(misspelt_actions(on));
    for (key, is_file) in [("branches", false), ("tags", false), ("paths", true)] {
        let items = on.get(key).and_then(|field| field.one_or_more().ok());
        for item in items.iter().flatten() {
            let text = item.text().unwrap_or_default();
            let glob = text.strip_prefix('!').unwrap_or(text);
            let problem = if is_file {
                path_problem(glob)
            } else {
                name_problem(key, glob)
            };
            warnings.extend(problem.map(|problem| item.error(problem)));
        }
    }
    warnings
}

fn unknown_event(field: &Field<'_>, event: &str) -> ParseError {
    let meant =
        nearest(event, EVENTS).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    field.error(format!(
        "GitHub is not known to send the event {}, so the trigger never matches{meant}",
        quoted(event)
    ))
}

/// Warns about keys that nothing in such an event can match.
fn useless_keys(on: &Fields<'_>, event: &str) -> Vec<ParseError> {
    let keys = events::KEYS.iter();
    let useless = keys.filter(|key| !key.events.contains(&event));
    useless
        .filter_map(|key| {
            let field = on.get(key.name)?;
            Some(field.error(format!(
                "an event {} has no {}, so {}; only these have: {}",
                quoted(event),
                key.subject,
                key.effect,
                key.events.join(", ")
            )))
        })
        .chain(useless_actions(on, event))
        .collect()
}

fn useless_actions(on: &Fields<'_>, event: &str) -> Option<ParseError> {
    let field = on.get("actions")?;
    events::WITHOUT_ACTION.contains(&event).then(|| {
        field.error(format!(
            "an event {} has no action, so the trigger never matches; leave it out",
            quoted(event)
        ))
    })
}

/// GitHub adds actions, so only those are doubted that are nearly one that is known.
fn misspelt_actions(on: &Fields<'_>) -> Vec<ParseError> {
    let items = on.get("actions").and_then(|field| field.one_or_more().ok());
    let items = items.unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let action = item.text().ok()?;
            let meant = nearest(action, ACTIONS).filter(|meant| *meant != action)?;
            Some(item.error(format!(
                "GitHub is not known to use the action {}; did you mean {meant}?",
                quoted(action)
            )))
        })
        .collect()
}

/// Returns the word that is meant by one with a slip.
fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let distances = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= MAX_SLIP && distance < word.len()).then_some(nearest)
}

/// Returns what is wrong with a glob for files, whose paths are like `src/main.rs`.
fn path_problem(glob: &str) -> Option<String> {
    let segments = || glob.split('/');
    if let Some(directory) = glob.strip_suffix('/') {
        return Some(format!(
            "{} matches no file; write {} for all files below it",
            quoted(glob),
            quoted(&format!("{directory}/**"))
        ));
    }
    if glob.starts_with('/') || segments().any(|segment| matches!(segment, "" | "." | "..")) {
        let segments = segments().filter(|segment| !matches!(*segment, "" | "." | ".."));
        return Some(format!(
            "{} matches no file: paths begin at the top of the repository, without a dot or a slash; write {}",
            quoted(glob),
            quoted(&segments.collect::<Vec<_>>().join("/"))
        ));
    }
    double_star_problem(glob)
}

/// `**` stands for directories only if nothing else is between the slashes.
fn double_star_problem(glob: &str) -> Option<String> {
    let fused = glob
        .split('/')
        .find(|segment| segment.contains("**") && *segment != "**")?;
    let apart = match fused.strip_prefix("**") {
        Some(rest) => format!("**/*{}", rest.trim_start_matches('*')),
        None => format!("{}*/**", fused.split("**").next().unwrap_or_default()),
    };
    Some(format!(
        "in {}, ** is a mere * because it does not stand alone between slashes; write {} for any depth",
        quoted(glob),
        quoted(&glob.replacen(fused, &apart, 1))
    ))
}

/// Returns what is wrong with a glob for branches or tags, whose names are like `release/1.2`.
fn name_problem(key: &str, glob: &str) -> Option<String> {
    let prefixes = ["refs/heads/", "refs/tags/", "refs/"];
    if let Some(name) = prefixes.iter().find_map(|prefix| glob.strip_prefix(prefix)) {
        return Some(format!(
            "{} matches none: their short names count; write {}",
            quoted(glob),
            quoted(name)
        ));
    }
    if glob.starts_with('$') && (glob != DEFAULT_BRANCH || key != "branches") {
        return Some(format!(
            "{} is no placeholder here; only {DEFAULT_BRANCH} is one, among branches",
            quoted(glob)
        ));
    }
    if glob.starts_with('/') || glob.ends_with('/') || glob.contains("//") {
        return Some(format!(
            "{} matches none: no name begins or ends with a slash",
            quoted(glob)
        ));
    }
    double_star_problem(glob)
}
