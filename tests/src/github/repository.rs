//! Repositories: files and commits, roles, webhooks, statuses, comments.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha1::{Digest, Sha1};

use super::random::random;

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The id, which stays when the repository is renamed.
    pub id: u64,
    /// owner/name.
    pub full_name: String,
    /// Its former names.
    pub former_names: Vec<String>,
    /// Only people with a role see it.
    pub private: bool,
    /// The default branch.
    pub default_branch: String,
    /// Login → admin, maintain, write, triage or read.
    pub roles: BTreeMap<String, String>,
    /// Branch → the commit at its head.
    pub branches: BTreeMap<String, String>,
    /// Issues and pull requests, by number.
    pub threads: BTreeSet<u64>,
    /// Its pull requests, by number; each is a thread too.
    pub pull_requests: BTreeMap<u64, PullRequest>,
    /// Its webhooks.
    pub hooks: Vec<Hook>,
    /// Every status that was set, oldest first.
    pub statuses: Vec<Status>,
    /// Every comment that exists, oldest first.
    pub comments: Vec<Comment>,
    /// Commit → its files: path → text.
    pub(crate) trees: BTreeMap<String, BTreeMap<String, String>>,
}

/// A pull request: what it offers, and where to.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The branch that it offers, in its own repository.
    pub branch: String,
    /// The commit at the head of that branch.
    pub commit: String,
    /// The id of that repository; none if it is gone.
    pub repository: Option<u64>,
    /// The branch that it goes to.
    pub base: String,
    /// The id of the user who opened it.
    pub by: u64,
    /// When anything about it last changed, in seconds since 1970.
    pub updated_at: i64,
}

/// A file of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedFile {
    pub(crate) path: String,
    /// Where it was before.
    pub(crate) moved_from: Option<String>,
    /// Git's id of its text, before it was removed.
    pub(crate) blob: String,
    was_there: bool,
    is_there: bool,
}

impl ChangedFile {
    /// Returns GitHub's word for what happened to it.
    pub(crate) fn status(&self) -> &'static str {
        match (&self.moved_from, self.was_there, self.is_there) {
            (Some(_), ..) => "renamed",
            (None, true, true) => "modified",
            (None, true, false) => "removed",
            (None, false, _) => "added",
        }
    }
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// GitHub's id.
    pub id: u64,
    /// Whether it is switched on.
    pub active: bool,
    /// The events that it receives.
    pub events: Vec<String>,
    /// Where it posts.
    pub url: String,
    /// json or form.
    pub content_type: String,
    /// The secret that signs its requests.
    pub secret: String,
    /// Every attempt to deliver an event, oldest first.
    pub attempts: Vec<Attempt>,
}

/// An attempt to deliver an event.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// GitHub's id of the attempt.
    pub id: u64,
    /// X-GitHub-Delivery, which all attempts of a delivery share.
    pub guid: String,
    /// Whether somebody asked for this attempt.
    pub redelivery: bool,
    /// X-GitHub-Event.
    pub event: String,
    /// The body.
    pub payload: Value,
    /// Seconds since 1970.
    pub at: i64,
    /// The receiver's status; 0 if it did not respond.
    pub status_code: u16,
}

/// A status of a commit.
#[derive(Clone, Debug)]
pub struct Status {
    /// GitHub's id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// error, failure, pending or success.
    pub state: String,
    /// Tells it from the commit's other statuses.
    pub context: String,
    /// The state in words.
    pub description: String,
    /// The page with the details.
    pub target_url: String,
    /// The id of the user who set it.
    pub by: u64,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// GitHub's id.
    pub id: u64,
    /// The or pull request's number.
    pub thread: u64,
    /// The text of the body.
    pub body: String,
    /// The id of the user who wrote it.
    pub by: u64,
    /// How often its text was replaced.
    pub edits: usize,
    /// The reactions: a user's id and GitHub's word.
    pub reactions: Vec<(u64, String)>,
}

impl Repository {
    /// Creates a private repository with an empty `main`.
    #[must_use]
    pub fn new(id: u64, full_name: &str) -> Self {
        let mut new = Self {
            id,
            full_name: full_name.to_owned(),
            former_names: Vec::new(),
            private: true,
            default_branch: "main".to_owned(),
            roles: BTreeMap::new(),
            branches: BTreeMap::new(),
            threads: BTreeSet::new(),
            pull_requests: BTreeMap::new(),
            hooks: Vec::new(),
            statuses: Vec::new(),
            comments: Vec::new(),
            trees: BTreeMap::new(),
        };
        new.push("main", &[]);
        new
    }

    /// Gives somebody a role: admin, maintain, write, triage or read.
    #[must_use]
    pub fn with(mut self, login: &str, role: &str) -> Self {
        self.roles.insert(login.to_owned(), role.to_owned());
        self
    }

    /// Adds a file at the head of `main`.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.push("main", &[(path, Some(text))]);
        self
    }

    /// Adds an issue or pull request of this number.
    #[must_use]
    pub fn thread(mut self, number: u64) -> Self {
        self.threads.insert(number);
        self
    }

    /// Opens a pull request of this number, or replaces it. Its commit is one of this repository's then, as at GitHub.
    pub fn open_pull_request(&mut self, number: u64, pull_request: PullRequest) {
        self.threads.insert(number);
        self.trees.entry(pull_request.commit.clone()).or_default();
        self.pull_requests.insert(number, pull_request);
    }

    /// Commits files, and deletes those without a text. Returns the commit's id.
    pub fn push(&mut self, branch: &str, files: &[(&str, Option<&str>)]) -> String {
        let before = self.branches.get(branch).and_then(|c| self.trees.get(c));
        let mut tree = before.cloned().unwrap_or_default();
        for (path, text) in files {
            match text {
                Some(text) => tree.insert((*path).to_owned(), (*text).to_owned()),
                None => tree.remove(*path),
            };
        }
        let sha = random(20);
        self.trees.insert(sha.clone(), tree);
        self.branches.insert(branch.to_owned(), sha.clone());
        sha
    }

    /// Renames the repository. Its former name redirects to it.
    pub fn rename(&mut self, full_name: &str) {
        let former = std::mem::replace(&mut self.full_name, full_name.to_owned());
        self.former_names.push(former);
    }

    /// Returns the commit at a branch's head.
    ///
    /// # Panics
    /// When there is no such branch.
    #[must_use]
    pub fn head(&self, branch: &str) -> String {
        self.branches.get(branch).expect("a branch").clone()
    }

    /// Returns a commit's statuses as its page shows them: the latest of each context.
    #[must_use]
    pub fn shown_statuses(&self, sha: &str) -> BTreeMap<String, Status> {
        let of = self.statuses.iter().filter(|status| status.sha == sha);
        of.map(|status| (status.context.clone(), status.clone()))
            .collect()
    }

    /// Returns a thread's comments, oldest first.
    #[must_use]
    pub fn comments_in(&self, thread: u64) -> Vec<Comment> {
        let of = self.comments.iter().filter(|c| c.thread == thread);
        of.cloned().collect()
    }

    /// Adds a comment and returns its id.
    pub fn say(&mut self, id: u64, thread: u64, by: u64, body: &str) -> u64 {
        self.threads.insert(thread);
        self.comments.push(Comment {
            id,
            thread,
            body: body.to_owned(),
            by,
            edits: 0,
            reactions: Vec::new(),
        });
        id
    }

    /// Returns the files at a branch's head or at a commit.
    pub(crate) fn tree(&self, at: &str) -> Option<&BTreeMap<String, String>> {
        let commit = self.branches.get(at).map_or(at, String::as_str);
        self.trees.get(commit)
    }

    /// Returns the files in which two commits differ, by path; none: one of them does not exist.
    pub(crate) fn changed_files(&self, base: &str, head: &str) -> Option<Vec<ChangedFile>> {
        let (before, after) = (self.tree(base)?, self.tree(head)?);
        let gone: Vec<(&String, &String)> = before
            .iter()
            .filter(|(path, _)| !after.contains_key(*path))
            .collect();
        let moved_from = |path: &str, text: &String| {
            let is_new = !before.contains_key(path);
            let from = gone.iter().find(|(_, before)| is_new && *before == text);
            from.map(|(path, _)| (*path).clone())
        };
        let mut changed: Vec<ChangedFile> = after
            .iter()
            .filter(|(path, text)| before.get(*path) != Some(*text))
            .map(|(path, text)| ChangedFile {
                path: path.clone(),
                moved_from: moved_from(path, text),
                blob: blob(text),
                was_there: before.contains_key(path),
                is_there: true,
            })
            .collect();
        let is_moved = |path: &String| changed.iter().any(|c| c.moved_from.as_ref() == Some(path));
        let removed: Vec<ChangedFile> = gone
            .iter()
            .filter(|(path, _)| !is_moved(path))
            .map(|(path, text)| ChangedFile {
                path: (*path).clone(),
                moved_from: None,
                blob: blob(text),
                was_there: true,
                is_there: false,
            })
            .collect();
        changed.extend(removed);
        changed.sort_by(|one, other| one.path.cmp(&other.path));
        Some(changed)
    }

    pub(crate) fn owner(&self) -> &str {
        self.full_name
            .split_once('/')
            .map_or("", |(owner, _)| owner)
    }

    pub(crate) fn name(&self) -> &str {
        self.full_name.split_once('/').map_or("", |(_, name)| name)
    }

    pub(crate) fn hook(&mut self, id: u64) -> Option<&mut Hook> {
        self.hooks.iter_mut().find(|hook| hook.id == id)
    }
}

impl Hook {
    /// Reports whether it receives an event.
    #[must_use]
    pub fn hears(&self, event: &str) -> bool {
        let known = |heard: &String| heard == event || heard == "*";
        self.active && (event == "ping" || self.events.iter().any(known))
    }
}

/// Returns git's id of a file's text.
pub(crate) fn blob(text: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", text.len()));
    hash.update(text);
    hex::encode(hash.finalize())
}
