//! The triggers of services.yaml, compiled once when a repository is resolved and not for each delivery.
use ck8s_types::RunSpec;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Stands for the default branch among globs for branches.
const DEFAULT_BRANCH: &str = "$default";

/// One trigger of services.yaml.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// Unique in the file.
    pub(crate) name: String,
    /// GitHub's name of the event.
    pub(crate) event: String,
    /// The payload's action is one of these; empty: any action.
    pub(crate) actions: Vec<String>,
    /// One of these labels is set; empty: labels do not matter.
    pub(crate) labels: Vec<String>,
    /// The first word of the comment; empty: any comment.
    pub(crate) comment: String,
    /// The branch that was pushed to, or the base branch of a pull request.
    pub(crate) branches: GlobFilter,
    /// The files that a push changed.
    pub(crate) paths: GlobFilter,
    /// Whether bots may trigger.
    pub(crate) allow_bots: bool,
    /// What runs, or why it cannot run.
    pub(crate) spec: Result<RunSpec, String>,
}

/// Globs to include and globs to exclude.
#[derive(Debug, Default)]
pub(crate) struct GlobFilter {
    /// The globs as they are written in the file, for people.
    included: Vec<String>,
    excluded: Vec<String>,
    include: GlobSet,
    exclude: GlobSet,
}

impl GlobFilter {
    /// Compiles globs for file paths.
    pub(crate) fn for_paths(included: Vec<String>, excluded: Vec<String>) -> Result<Self, String> {
        let (include, exclude) = (compile(&included, None)?, compile(&excluded, None)?);
        Ok(Self {
            included,
            excluded,
            include,
            exclude,
        })
    }

    /// Compiles globs for branches; `$default` is the default branch.
    pub(crate) fn for_branches(
        included: Vec<String>,
        excluded: Vec<String>,
        default_branch: &str,
    ) -> Result<Self, String> {
        let include = compile(&included, Some(default_branch))?;
        let exclude = compile(&excluded, Some(default_branch))?;
        Ok(Self {
            included,
            excluded,
            include,
            exclude,
        })
    }

    /// Returns whether there is no glob at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    /// Returns whether the text is included by a glob, or there are none to include, and excluded by no glob.
    pub(crate) fn matches(&self, text: &str) -> bool {
        (self.included.is_empty() || self.include.is_match(text)) && !self.exclude.is_match(text)
    }

    /// Returns the globs as the file writes them; excluded ones begin with `!`.
    pub(crate) fn texts(&self) -> Vec<String> {
        let excluded = self.excluded.iter().map(|glob| format!("!{glob}"));
        self.included.iter().cloned().chain(excluded).collect()
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
