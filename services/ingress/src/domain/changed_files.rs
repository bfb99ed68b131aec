//! The files that an event changed: what the delivery lists of them, what must be asked of the provider, and whether
//! one of them is what a trigger asks for.
use super::{
    event::WebhookEvent,
    payload::{Commit, MAX_COMMITS, Payload},
    reference::Reference,
    trigger::GlobFilter,
    wording::any_of,
};

/// Stands for the default branch where a payload does not name it, as in git.
const DEFAULT_BRANCH: &str = "HEAD";

/// The change whose files must be asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ChangeSet {
    /// That of the pull request of this number.
    PullRequest(u64),
    /// What a commit has and another one, or a branch, has not.
    Between { base: String, head: String },
}

/// The files of a change, as far as the provider states them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct ChangedFiles {
    pub(crate) paths: Vec<String>,
    /// Whether these are all.
    pub(crate) is_complete: bool,
}

/// Whether an event changed a file that a trigger asks for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum PathMatch {
    Fits,
    /// None of so many, and these are all.
    NoneFits(usize),
    /// None of so many that the delivery lists, and there may be others.
    Unknown {
        listed: usize,
        /// None: nobody can say.
        change: Option<ChangeSet>,
    },
    /// The event changes no files.
    NoFiles,
}

/// A trigger's globs, and the change whose files must be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilesQuestion {
    pub(crate) change: ChangeSet,
    pub(crate) paths: GlobFilter,
}

impl FilesQuestion {
    /// Returns what the run says about files that are not known (nothing: all are, or one fits), or why nothing runs.
    pub(crate) fn judge(&self, files: &ChangedFiles) -> Result<String, String> {
        if files.paths.iter().any(|path| self.paths.matches(path)) {
            return Ok(String::new());
        }
        let count = files.paths.len();
        match files.is_complete {
            true => Err(none_fits(&self.paths, count)),
            false => Ok(unknown_files(&self.paths, count)),
        }
    }
}

/// Returns what a run says whose trigger matches because files may fit that nobody knows.
pub(crate) fn unknown_files(paths: &GlobFilter, count: usize) -> String {
    let expected = any_of(&paths.texts());
    match count {
        0 => format!(
            "the provider does not say which files were changed; the trigger matches, because one may be in {expected}"
        ),
        count => format!(
            "the provider names only {count} of the changed files, and none is in {expected}; the trigger matches, because \
             another one may be"
        ),
    }
}

/// Returns why a trigger does not match.
pub(crate) fn none_fits(paths: &GlobFilter, count: usize) -> String {
    let expected = any_of(&paths.texts());
    format!("wants a changed file in {expected}, none of {count} fits")
}

/// Returns whether the event changed a file that these globs ask for.
pub(crate) fn check(paths: &GlobFilter, event: WebhookEvent<'_>) -> PathMatch {
    let payload = event.payload;
    let change = match event.name {
        "push" => return of_push(paths, event),
        "merge_group" => payload
            .merge_group
            .0
            .as_ref()
            .map(|group| ChangeSet::Between {
                base: group.base_sha.as_str().to_owned(),
                head: group.head_sha.as_str().to_owned(),
            }),
        _ => pull_request_number(payload).map(ChangeSet::PullRequest),
    };
    match change {
        Some(change) => PathMatch::Unknown {
            listed: 0,
            change: Some(change),
        },
        None => PathMatch::NoFiles,
    }
}

/// Returns the number of the pull request that an event is about.
fn pull_request_number(payload: &Payload<'_>) -> Option<u64> {
    if let Some(pull_request) = &payload.pull_request.0 {
        return pull_request.number.0;
    }
    let issue = payload.issue.0.as_ref()?;
    issue.pull_request.0.as_ref().and(issue.number.0)
}

fn of_push(paths: &GlobFilter, event: WebhookEvent<'_>) -> PathMatch {
    let payload = event.payload;
    let commits = || {
        payload
            .commits
            .0
            .iter()
            .filter_map(|commit| commit.0.as_ref())
    };
    let (mut listed, mut is_complete) = (0, is_list_complete(payload));
    let head = payload.head_commit.0.as_ref();
    // Beyond GitHub's bound the last commit is not among the others.
    let head = head.filter(|head| commits().all(|commit| commit.id.as_str() != head.id.as_str()));
    for (commit, is_among_commits) in commits().map(|c| (c, true)).chain(head.map(|h| (h, false))) {
        let before = listed;
        if fits(paths, commit, &mut listed) {
            return PathMatch::Fits;
        }
        // Of a merge GitHub lists no files, and of a very large commit neither.
        is_complete &= listed > before || !is_among_commits;
    }
    match is_complete {
        true => PathMatch::NoneFits(listed),
        false => PathMatch::Unknown {
            listed,
            change: pushed(event),
        },
    }
}

fn fits(paths: &GlobFilter, commit: &Commit<'_>, listed: &mut usize) -> bool {
    [commit.added, commit.modified, commit.removed]
        .into_iter()
        .any(|files| {
            files.any(|file| {
                *listed += 1;
                paths.matches(file)
            })
        })
}

/// Returns whether the commits of a push are all that came with it.
fn is_list_complete(payload: &Payload<'_>) -> bool {
    let count = payload.commits.0.len();
    count > 0 && count < MAX_COMMITS && !payload.forced.0 && !is_new(payload)
}

/// Returns whether a push made its branch or tag.
fn is_new(payload: &Payload<'_>) -> bool {
    let before = payload.before.as_str();
    !before.is_empty() && before.bytes().all(|digit| digit == b'0')
}

/// Returns what a push changed: of a new branch what it has and the default branch has not.
fn pushed(event: WebhookEvent<'_>) -> Option<ChangeSet> {
    let payload = event.payload;
    let default_branch = payload.default_branch().unwrap_or(DEFAULT_BRANCH);
    let base = match payload.before.as_str() {
        _ if is_new(payload) => default_branch,
        before => before,
    };
    let is_first = is_new(payload) && Reference::target_branch(event) == Some(default_branch);
    let head = payload.after.as_str();
    (!is_first && !base.is_empty() && !head.is_empty()).then(|| ChangeSet::Between {
        base: base.to_owned(),
        head: head.to_owned(),
    })
}
