//! The concurrency group of a run: a template of services.yaml, filled in for one event.
use ck8s_types::RunTrigger;
use sha2::{Digest, Sha256};

use super::event::WebhookEvent;

/// Bounds a concurrency group; the contract of the runs service sets it.
const MAX_GROUP_BYTES: usize = 200;

/// Fills in a template and shortens the result where it is too long.
pub(super) fn fill(template: &str, trigger: &RunTrigger, event: WebhookEvent<'_>) -> String {
    shorten(&substitute(template, trigger, event))
}

/// Replaces the placeholders in one pass: a value that was filled in is never read as a placeholder itself.
fn substitute(template: &str, trigger: &RunTrigger, event: WebhookEvent<'_>) -> String {
    let mut filled = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        match &from[..=end] {
            "{repository}" => filled.push_str(event.repository),
            "{number}" if trigger.number != 0 => filled.push_str(&trigger.number.to_string()),
            "{number}" => {}
            "{ref}" => filled.push_str(&trigger.git_ref),
            "{branch}" => filled.push_str(event.branch().unwrap_or_default()),
            "{event}" => filled.push_str(event.name),
            other => filled.push_str(other),
        }
        rest = &from[end + 1..];
    }
    filled.push_str(rest);
    filled
}

/// Keeps the beginning of a group that is too long and replaces its end by a hash, so that different groups stay
/// different.
fn shorten(group: &str) -> String {
    let group = group.replace('\0', "\u{fffd}");
    if group.len() <= MAX_GROUP_BYTES {
        return group;
    }
    let hash = hex::encode(&Sha256::digest(group.as_bytes())[..16]);
    let mut end = MAX_GROUP_BYTES - hash.len() - 1;
    while !group.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{hash}", &group[..end])
}
