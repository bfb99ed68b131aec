//! What a delivery names in git: a branch or a tag, and which of them triggers are asked for.
use std::borrow::Cow;

use super::event::WebhookEvent;

/// What a delivery names in git, by its short name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reference<'a> {
    /// Nothing.
    None,
    Branch(&'a str),
    Tag(&'a str),
    /// Neither, by its full name.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    /// Returns what a delivery names.
    pub(crate) fn of(event: WebhookEvent<'a>) -> Self {
        let payload = event.payload;
        if let Some(head) = payload
            .subject()
            .and_then(|subject| subject.head.0.as_ref())
        {
            return Self::Branch(head.name.as_str());
        }
        if let Some(release) = &payload.release.0 {
            return Self::Tag(release.tag_name.as_str());
        }
        if let Some(run) = &payload.workflow_run.0 {
            return Self::Branch(run.head_branch.as_str());
        }
        let name = match &payload.merge_group.0 {
            Some(group) => group.head_ref.as_str(),
            None => payload.git_ref.as_str(),
        };
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            return Self::Branch(branch);
        }
        if let Some(tag) = name.strip_prefix("refs/tags/") {
            return Self::Tag(tag);
        }
        match (name, payload.ref_type.as_str()) {
            ("", _) => Self::None,
            (name, "branch") => Self::Branch(name),
            (name, "tag") => Self::Tag(name),
            (name, _) => Self::Other(name),
        }
    }

    /// Returns the tag that was pushed, made or released.
    pub(crate) fn tag(event: WebhookEvent<'a>) -> Option<&'a str> {
        match Self::of(event) {
            Self::Tag(name) => Some(name).filter(|name| !name.is_empty()),
            Self::None | Self::Branch(_) | Self::Other(_) => None,
        }
    }

    /// Returns the branch that triggers are asked for: the one that was pushed to or made, that a workflow ran on, or
    /// that a pull request goes to, directly or through the merge queue.
    pub(crate) fn target_branch(event: WebhookEvent<'a>) -> Option<&'a str> {
        let payload = event.payload;
        let branch = match event.name {
            "push" | "create" | "delete" | "workflow_run" | "schedule" => match Self::of(event) {
                Self::Branch(name) => name,
                Self::None | Self::Tag(_) | Self::Other(_) => return None,
            },
            "merge_group" => {
                let base = payload.merge_group.0.as_ref()?.base_ref.as_str();
                base.strip_prefix("refs/heads/").unwrap_or(base)
            }
            _ => {
                let pull_request = payload.pull_request.0.as_ref()?;
                pull_request.base.0.as_ref()?.name.as_str()
            }
        };
        Some(branch).filter(|name| !name.is_empty())
    }

    /// Returns the short name.
    pub(crate) const fn name(self) -> &'a str {
        match self {
            Self::None => "",
            Self::Branch(name) | Self::Tag(name) | Self::Other(name) => name,
        }
    }

    /// Returns a name that nothing else has, even if a tag is called like a branch: git allows no colon in a name.
    pub(crate) fn distinct_name(self) -> Cow<'a, str> {
        match self {
            Self::None => Cow::Borrowed(""),
            Self::Branch(name) => Cow::Borrowed(name),
            Self::Tag(name) => Cow::Owned(format!("tag:{name}")),
            Self::Other(name) => Cow::Owned(format!("ref:{name}")),
        }
    }
}
