//! A repository in the world: files and commits, who may what, webhooks, statuses, comments.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha1::{Digest, Sha1};

use super::world::random;

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Stays when it is renamed.
    pub id: u64,
    /// owner/name.
    pub full_name: String,
    /// Names that it had before.
    pub former_names: Vec<String>,
    /// Only its people see it.
    pub private: bool,
    /// The branch that counts.
    pub default_branch: String,
    /// Login → admin, maintain, write, triage or read.
    pub roles: BTreeMap<String, String>,
    /// Branch → the commit at its head.
    pub branches: BTreeMap<String, String>,
    /// Issues and pull requests, by number.
    pub threads: BTreeSet<u64>,
    /// Its webhooks.
    pub hooks: Vec<Hook>,
    /// Every status that was set, oldest first.
    pub statuses: Vec<Status>,
    /// Every comment that is there, oldest first.
    pub comments: Vec<Comment>,
    /// Commit → its files: path → text.
    pub(crate) trees: BTreeMap<String, BTreeMap<String, String>>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// GitHub's id.
    pub id: u64,
    /// It is on.
    pub active: bool,
    /// What it hears of.
    pub events: Vec<String>,
    /// Where it posts to.
    pub url: String,
    /// json or form.
    pub content_type: String,
    /// What it signs with.
    pub secret: String,
    /// Every try to deliver something, oldest first.
    pub attempts: Vec<Attempt>,
}

/// A try to deliver something.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// GitHub's id of the try.
    pub id: u64,
    /// X-GitHub-Delivery: the same for every try.
    pub guid: String,
    /// It was asked for again.
    pub redelivery: bool,
    /// X-GitHub-Event.
    pub event: String,
    /// What is posted.
    pub payload: Value,
    /// Seconds since 1970.
    pub at: i64,
    /// What was answered; 0: nothing.
    pub status_code: u16,
}

/// A status of a commit.
#[derive(Clone, Debug)]
pub struct Status {
    /// GitHub's id.
    pub id: u64,
    /// Whose.
    pub sha: String,
    /// error, failure, pending or success.
    pub state: String,
    /// What tells it from others.
    pub context: String,
    /// In words.
    pub description: String,
    /// The page that tells more.
    pub target_url: String,
    /// Who set it: a user's id.
    pub by: u64,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// GitHub's id.
    pub id: u64,
    /// The or pull request's number.
    pub thread: u64,
    /// Its text.
    pub body: String,
    /// Who wrote it: a user's id.
    pub by: u64,
    /// How often its text was replaced.
    pub edits: usize,
    /// Who reacted how: a user's id and GitHub's word.
    pub reactions: Vec<(u64, String)>,
}

impl Repository {
    /// A private one with an empty `main`.
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
            hooks: Vec::new(),
            statuses: Vec::new(),
            comments: Vec::new(),
            trees: BTreeMap::new(),
        };
        new.push("main", &[]);
        new
    }

    /// With somebody's role: admin, maintain, write, triage or read.
    #[must_use]
    pub fn with(mut self, login: &str, role: &str) -> Self {
        self.roles.insert(login.to_owned(), role.to_owned());
        self
    }

    /// With a file at the head of `main`.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.push("main", &[(path, Some(text))]);
        self
    }

    /// With an issue or pull request of this number.
    #[must_use]
    pub fn thread(mut self, number: u64) -> Self {
        self.threads.insert(number);
        self
    }

    /// A commit that writes files, or removes those without a text. Its id.
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

    /// It is called something else from now on; its former name leads to it.
    pub fn rename(&mut self, full_name: &str) {
        let former = std::mem::replace(&mut self.full_name, full_name.to_owned());
        self.former_names.push(former);
    }

    /// The commit at a branch's head.
    ///
    /// # Panics
    /// When there is no such branch.
    #[must_use]
    pub fn head(&self, branch: &str) -> String {
        self.branches.get(branch).expect("a branch").clone()
    }

    /// A commit's statuses as its page shows them: the latest of each context.
    #[must_use]
    pub fn shown_statuses(&self, sha: &str) -> BTreeMap<String, Status> {
        let of = self.statuses.iter().filter(|status| status.sha == sha);
        of.map(|status| (status.context.clone(), status.clone()))
            .collect()
    }

    /// A thread's comments, oldest first.
    #[must_use]
    pub fn comments_in(&self, thread: u64) -> Vec<Comment> {
        let of = self.comments.iter().filter(|c| c.thread == thread);
        of.cloned().collect()
    }

    /// Somebody writes a comment. Its id.
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

    /// The files at a branch's head or at a commit.
    pub(crate) fn tree(&self, at: &str) -> Option<&BTreeMap<String, String>> {
        let commit = self.branches.get(at).map_or(at, String::as_str);
        self.trees.get(commit)
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
    /// Whether it is told of this.
    #[must_use]
    pub fn hears(&self, event: &str) -> bool {
        let known = |heard: &String| heard == event || heard == "*";
        self.active && (event == "ping" || self.events.iter().any(known))
    }
}

/// What git calls a file's text.
pub(crate) fn blob(text: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", text.len()));
    hash.update(text);
    hex::encode(hash.finalize())
}
