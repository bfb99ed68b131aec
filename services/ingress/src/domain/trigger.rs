//! Trigger rules as they are matched: compiled once when a repository is resolved, not once for each delivery.
use ck8s_types::RunSpec;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Stands for the default branch in a pattern for branches.
const DEFAULT_BRANCH: &str = "$default";

/// One trigger of services.yaml.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// Unique in the file.
    pub(crate) name: String,
    /// GitHub's event name.
    pub(crate) event: String,
    /// The payload's action; empty: any.
    pub(crate) actions: Vec<String>,
    /// Any of these; empty: any.
    pub(crate) labels: Vec<String>,
    /// The first word of the comment; empty: any.
    pub(crate) comment: String,
    /// The branch that was pushed to, or that a pull request goes to.
    pub(crate) branches: Patterns,
    /// The files that a push changed.
    pub(crate) paths: Patterns,
    /// Bots may trigger.
    pub(crate) allow_bots: bool,
    /// What runs; or why it cannot.
    pub(crate) spec: Result<RunSpec, String>,
}

/// Globs to take and globs to leave out.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// As they were written, for people.
    wanted: Vec<String>,
    unwanted: Vec<String>,
    take: GlobSet,
    leave: GlobSet,
}

impl Patterns {
    /// Globs for file paths.
    pub(crate) fn for_paths(wanted: Vec<String>, unwanted: Vec<String>) -> Result<Self, String> {
        let (take, leave) = (compile(&wanted, None)?, compile(&unwanted, None)?);
        Ok(Self {
            wanted,
            unwanted,
            take,
            leave,
        })
    }

    /// Globs for branches; `$default` is the default branch.
    pub(crate) fn for_branches(
        wanted: Vec<String>,
        unwanted: Vec<String>,
        default_branch: &str,
    ) -> Result<Self, String> {
        let take = compile(&wanted, Some(default_branch))?;
        let leave = compile(&unwanted, Some(default_branch))?;
        Ok(Self {
            wanted,
            unwanted,
            take,
            leave,
        })
    }

    /// Nothing is asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Whether it fits: taken by one, or none to take by, and left out by none.
    pub(crate) fn fit(&self, text: &str) -> bool {
        (self.wanted.is_empty() || self.take.is_match(text)) && !self.leave.is_match(text)
    }

    /// In the file's words.
    pub(crate) fn words(&self) -> Vec<String> {
        let unwanted = self.unwanted.iter().map(|glob| format!("!{glob}"));
        self.wanted.iter().cloned().chain(unwanted).collect()
    }
}

fn compile(globs: &[String], default_branch: Option<&str>) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let text = match default_branch {
            Some(branch) if glob == DEFAULT_BRANCH => globset::escape(branch),
            _ => glob.clone(),
        };
        let glob = GlobBuilder::new(&text)
            .literal_separator(true)
            .build()
            .map_err(|error| error.to_string())?;
        set.add(glob);
    }
    set.build().map_err(|error| error.to_string())
}
