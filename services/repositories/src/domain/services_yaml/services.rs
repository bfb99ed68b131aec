//! What a services.yaml says, complete and checked.
use ck8s_types::RunSpec;

/// What a services.yaml says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// In the order of the file; the first that matches makes the run.
    pub triggers: Vec<Trigger>,
}

/// When something runs, and what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// Unique in the file.
    pub name: String,
    /// The provider's event name.
    pub event: String,
    /// The payload's action; empty: any.
    pub actions: Vec<String>,
    /// Labels of the issue or pull request; empty: any.
    pub labels: Vec<String>,
    /// The first word of the comment, with its slash; empty: any.
    pub comment: String,
    /// Globs; empty: any.
    pub branches: Vec<String>,
    /// Globs of what is ignored.
    pub branches_ignore: Vec<String>,
    /// Globs; empty: any.
    pub paths: Vec<String>,
    /// Globs of what is ignored.
    pub paths_ignore: Vec<String>,
    /// Whether bots may trigger.
    pub allow_bots: bool,
    /// What runs; its concurrency group still holds placeholders.
    pub spec: RunSpec,
}
