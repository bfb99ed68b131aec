//! The concurrency group of a run: a template of services.yaml, filled in for one event.
use ck8s_types::without_nul;
use sha2::{Digest, Sha256};

use super::{origin::OtherRepository, reference::Reference};

/// Bounds a concurrency group; the contract of the runs service sets it.
const MAX_GROUP_BYTES: usize = 200;

/// What the placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupValues<'a> {
    /// owner/name.
    pub(super) repository: &'a str,
    pub(super) event: &'a str,
    /// 0: none.
    pub(super) number: i64,
    pub(super) reference: Reference<'a>,
    /// The branch that was pushed to, or that a pull request goes to.
    pub(super) branch: &'a str,
    /// Whose code runs, if it is another repository's.
    pub(super) other: Option<&'a OtherRepository>,
}

/// Fills in a template and shortens the result where it is too long. A fork has groups of its own, whatever the
/// template says: what somebody pushes there must neither end nor hold up a run of ours.
pub(super) fn fill(template: &str, values: GroupValues<'_>) -> String {
    let group = substitute(template, values);
    shorten(&match values.other {
        None => group,
        Some(OtherRepository { id: Some(id), .. }) => format!("fork:{id}:{group}"),
        Some(OtherRepository { id: None, .. }) => format!("fork:unknown:{group}"),
    })
}

/// Replaces the placeholders in one pass: a value that was filled in is never read as a placeholder itself.
fn substitute(template: &str, values: GroupValues<'_>) -> String {
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
            "{repository}" => filled.push_str(values.repository),
            "{number}" if values.number != 0 => filled.push_str(&values.number.to_string()),
            "{number}" => {}
            "{ref}" => filled.push_str(&values.reference.distinct_name()),
            "{branch}" => filled.push_str(values.branch),
            "{event}" => filled.push_str(values.event),
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
    let group = without_nul(group);
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
