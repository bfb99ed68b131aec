//! The triggers of services.yaml, compiled once when a repository is resolved and not for each delivery.
use ck8s_types::RunSpec;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{
    event::WebhookEvent,
    forks::{ForkPolicy, ForkRules},
    origin::{self, Origin},
    payload::User,
    reference::Reference,
    schedule::TriggerSchedule,
};

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
    /// The tag that was pushed, made or released.
    pub(crate) tags: GlobFilter,
    /// The files that a push or a pull request changed.
    pub(crate) paths: GlobFilter,
    /// Nothing runs for a commit whose message says so.
    pub(crate) honours_skip_markers: bool,
    /// The bots that may trigger.
    pub(crate) bots: AllowedBots,
    /// What it does with code of another repository.
    pub(crate) forks: ForkPolicy,
    /// If it matches, the triggers behind it are not tried.
    pub(crate) stop: bool,
    /// Of the event `schedule`: when it is due.
    pub(crate) schedule: Option<TriggerSchedule>,
    /// What runs, or why it cannot run.
    pub(crate) spec: Result<RunSpec, String>,
}

impl Trigger {
    /// Returns whether files do not matter: for a tag that it names, as in GitHub's own workflows, neither.
    pub(crate) fn is_for_any_file(&self, event: WebhookEvent<'_>) -> bool {
        let is_tag = !self.tags.is_empty() && Reference::tag(event).is_some();
        self.paths.is_empty() || is_tag
    }

    /// Returns what decides about code of another repository when this event matches.
    pub(crate) fn fork_rules(&self, event: WebhookEvent<'_>) -> ForkRules {
        // Without a provider the head is not known, and nobody can vouch for it.
        let is_head_known =
            event.has_provider() || !matches!(origin::of(event), Origin::PullRequest(_));
        let bot = event.payload.sender().filter(|sender| sender.is_bot());
        let action = event.payload.action.as_str();
        ForkRules {
            policy: self.forks,
            is_command: is_head_known
                && !self.comment.is_empty()
                && matches!(action, "created" | "submitted")
                && bot.is_none(),
            is_unnamed_bot: bot.is_some_and(|bot| !self.bots.names(bot)),
        }
    }
}

/// The bots that may trigger without write access.
#[derive(Debug, Default)]
pub(crate) struct AllowedBots {
    /// Any bot that acts in the repository itself.
    pub(crate) any: bool,
    /// Logins, and ids as digits.
    pub(crate) named: Vec<String>,
}

impl AllowedBots {
    /// Returns whether a bot is named.
    pub(crate) fn names(&self, bot: &User<'_>) -> bool {
        let is_id = |name: &str| bot.id.0.is_some_and(|id| name.parse() == Ok(id));
        self.named
            .iter()
            .any(|name| name.eq_ignore_ascii_case(bot.login.as_str()) || is_id(name))
    }
}

/// Globs to include and globs to exclude.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GlobFilter {
    include: Globs,
    exclude: Globs,
    /// The default branch where a payload does not say it.
    default_branch: String,
}

/// Globs, and whether the default branch is among them.
#[derive(Clone, Debug, Default)]
struct Globs {
    /// As they are written in the file, for people.
    texts: Vec<String>,
    set: GlobSet,
    has_default_branch: bool,
}

impl GlobFilter {
    /// Compiles globs for file paths and tags.
    pub(crate) fn new(included: Vec<String>, excluded: Vec<String>) -> Result<Self, String> {
        Ok(Self {
            include: Globs::compile(included, false)?,
            exclude: Globs::compile(excluded, false)?,
            default_branch: String::new(),
        })
    }

    /// Compiles globs for branches; `$default` is the default branch.
    pub(crate) fn for_branches(
        included: Vec<String>,
        excluded: Vec<String>,
        default_branch: &str,
    ) -> Result<Self, String> {
        Ok(Self {
            include: Globs::compile(included, true)?,
            exclude: Globs::compile(excluded, true)?,
            default_branch: default_branch.to_owned(),
        })
    }

    /// Returns whether there is no glob at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.include.texts.is_empty() && self.exclude.texts.is_empty()
    }

    /// Returns whether the text is included by a glob, or there are none to include, and excluded by no glob.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_branch(text, None)
    }

    /// Does the same for a branch, where the payload says what the default branch is now.
    pub(crate) fn matches_branch(&self, branch: &str, default_branch: Option<&str>) -> bool {
        let is_default = branch == default_branch.unwrap_or(&self.default_branch);
        (self.include.texts.is_empty() || self.include.matches(branch, is_default))
            && !self.exclude.matches(branch, is_default)
    }

    /// Returns the globs as the file writes them; excluded ones begin with `!`.
    pub(crate) fn texts(&self) -> Vec<String> {
        let excluded = self.exclude.texts.iter().map(|glob| format!("!{glob}"));
        self.include.texts.iter().cloned().chain(excluded).collect()
    }
}

/// The rest follows from the texts.
impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts && self.has_default_branch == other.has_default_branch
    }
}

impl Eq for Globs {}

impl Globs {
    fn compile(texts: Vec<String>, of_branches: bool) -> Result<Self, String> {
        let is_default = |glob: &String| of_branches && glob == DEFAULT_BRANCH;
        let mut set = GlobSetBuilder::new();
        for text in texts.iter().filter(|glob| !is_default(glob)) {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            set.add(glob.map_err(|error| error.to_string())?);
        }
        Ok(Self {
            set: set.build().map_err(|error| error.to_string())?,
            has_default_branch: texts.iter().any(is_default),
            texts,
        })
    }

    fn matches(&self, text: &str, is_default_branch: bool) -> bool {
        (self.has_default_branch && is_default_branch) || self.set.is_match(text)
    }
}
