//! What a services.yaml says, complete and checked.
use ck8s_types::RunSpec;

/// What a services.yaml says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// In the order of the file; each that matches makes a run.
    pub triggers: Vec<Trigger>,
    /// What can never match, or not as it was meant, each with its line.
    pub warnings: Vec<String>,
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
    /// Globs; empty: any, or none if branches are named.
    pub tags: Vec<String>,
    /// Globs of what is ignored.
    pub tags_ignore: Vec<String>,
    /// Globs; empty: any.
    pub paths: Vec<String>,
    /// Globs of what is ignored.
    pub paths_ignore: Vec<String>,
    /// Whether it runs for commits whose message asks for no run too.
    pub ignores_skip_markers: bool,
    /// Whether any bot that acts in the repository itself may trigger.
    pub allow_bots: bool,
    /// Logins and ids of bots that may trigger.
    pub allowed_bots: Vec<String>,
    /// What it does with code of another repository.
    pub forks: ForkPolicy,
    /// If it matches, the triggers behind it are not tried.
    pub stop: bool,
    /// Of the event `schedule`: when it is due; empty: never.
    pub cron: String,
    /// The time zone of `cron`; empty: UTC.
    pub timezone: String,
    /// What runs; its concurrency group still holds placeholders.
    pub spec: RunSpec,
}

/// What a trigger does with code of another repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ForkPolicy {
    /// Nothing runs, unless a person with write access asks for the very commit.
    #[default]
    Deny,
    /// It runs, without secrets.
    Allow,
    /// It runs with secrets.
    AllowWithSecrets,
}

impl ForkPolicy {
    pub(crate) const ALL: [Self; 3] = [Self::Deny, Self::Allow, Self::AllowWithSecrets];

    /// Returns the word of services.yaml.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::AllowWithSecrets => "allow_with_secrets",
        }
    }
}
