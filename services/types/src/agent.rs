//! What ck8s-agent does around a workload's command: which agent it starts, what it checks out, what becomes of the
//! result.
use serde::{Deserialize, Serialize};

use super::{closed_set::closed_set, invalid::Invalid};

closed_set!(
    /// A coding agent whose command line and output ck8s-agent knows.
    AgentPreset, "agent", {
        /// OpenAI's Codex CLI.
        Codex = "codex",
        /// Anthropic's Claude Code.
        Claude = "claude",
        /// OpenCode.
        Opencode = "opencode",
        /// Google's Gemini CLI.
        Gemini = "gemini",
        /// The spec's own command: it finds the prompt in a file.
        Command = "command",
    }
);

closed_set!(
    /// What an activity of an agent is.
    ActivityKind, "activity kind", {
        /// The agent's words.
        Message = "message",
        /// A call of a tool, with its end.
        Tool = "tool",
        /// A change of a file.
        FileChange = "file_change",
        /// The agent's plan.
        Plan = "plan",
        /// Something that went wrong.
        Error = "error",
        /// What ck8s itself did or noticed around the agent.
        Note = "note",
    }
);

closed_set!(
    /// What an agent left behind.
    OutcomeKind, "outcome", {
        /// Changes, on the work branch.
        Changes = "changes",
        /// It changed nothing.
        NoChange = "no_change",
        /// It was ended before it was done.
        Incomplete = "incomplete",
    }
);

closed_set!(
    /// Whose figures of usage these are.
    UsageSource, "usage source", {
        /// The agent's own at its end.
        Agent = "agent",
        /// The sum of what the agent said of each step.
        Steps = "steps",
    }
);

/// The label of workers that can carry ck8s-agent into a workload; a run with an [`AgentSpec`] needs it.
pub const AGENT_LABEL: &str = "ck8s-agent";
/// Bounds the files that a prompt is made of.
const MAX_PROMPT_FILES: usize = 20;
/// Bounds a path in a repository.
const MAX_PATH_BYTES: usize = 500;
/// Bounds the commits of a checkout.
pub const MAX_CHECKOUT_DEPTH: i32 = 10_000;

/// What surrounds a workload's command.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSpec {
    /// Which agent runs; none: the command runs as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<AgentPreset>,
    /// The model, in the agent's words; empty: the agent's own default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Files of the default branch whose text goes into the prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_files: Vec<String>,
    /// What is checked out; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Checkout>,
    /// What becomes of the result at the provider.
    pub outputs: Outputs,
}

/// A checkout of the run's commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkout {
    /// How many commits of history it has.
    pub depth: i32,
}

impl Default for Checkout {
    fn default() -> Self {
        Self { depth: 1 }
    }
}

/// What the platform makes of a result at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outputs {
    /// A branch, and a draft pull request from it.
    pub pull_request: bool,
    /// The agent's last words in the comment of the issue or pull request.
    pub comment: bool,
}

impl AgentSpec {
    /// Checks what people may write.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that is not valid.
    pub(crate) fn check(&self, has_command: bool) -> Result<(), Invalid> {
        let invalid = |field, problem: String| Err(Invalid { field, problem });
        if self.model.len() > 200 || self.model.contains(char::is_control) {
            return invalid("spec.agent.model", "at most 200 bytes, one line".to_owned());
        }
        if self.prompt_files.len() > MAX_PROMPT_FILES {
            let problem = format!("at most {MAX_PROMPT_FILES} files");
            return invalid("spec.agent.prompt_files", problem);
        }
        if let Some(path) = self.prompt_files.iter().find(|p| !is_repository_path(p)) {
            let problem = format!("{path:?} is no path in the repository");
            return invalid("spec.agent.prompt_files", problem);
        }
        let depth = self.checkout.unwrap_or_default().depth;
        if !(1..=MAX_CHECKOUT_DEPTH).contains(&depth) {
            let problem = format!("must be 1 to {MAX_CHECKOUT_DEPTH}");
            return invalid("spec.agent.checkout.depth", problem);
        }
        self.check_preset(has_command)
    }

    fn check_preset(&self, has_command: bool) -> Result<(), Invalid> {
        let problem = match self.preset {
            Some(AgentPreset::Command) | None if !has_command => {
                "there must be a command, or an agent that brings its own"
            }
            Some(AgentPreset::Command) | None => return self.check_unused(),
            Some(_) if has_command => {
                "an agent brings its own command: leave command out, or write `agent: command`"
            }
            Some(_) if self.checkout.is_none() => "an agent needs a checkout",
            Some(_) => return Ok(()),
        };
        Err(Invalid {
            field: "spec.agent",
            problem: problem.to_owned(),
        })
    }

    /// Refuses what nothing reads.
    fn check_unused(&self) -> Result<(), Invalid> {
        let unused = match self.preset {
            Some(_) if self.model.is_empty() => return Ok(()),
            Some(_) => "spec.agent.model",
            None if !self.prompt_files.is_empty() => "spec.agent.prompt_files",
            None if !self.model.is_empty() => "spec.agent.model",
            None => return Ok(()),
        };
        let problem = "nothing reads it: there is no agent that takes it".to_owned();
        Err(Invalid {
            field: unused,
            problem,
        })
    }
}

/// Whether a text is a path of a file in a repository: relative, in plain words, nothing of it `..` or empty.
#[must_use]
pub fn is_repository_path(text: &str) -> bool {
    (1..=MAX_PATH_BYTES).contains(&text.len())
        && !text.contains(char::is_control)
        && text
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".." | ".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_needs_a_checkout_and_a_command_of_its_own_only() {
        let agent = |preset, checkout| AgentSpec {
            preset,
            checkout,
            ..AgentSpec::default()
        };
        let checkout = Some(Checkout::default());
        assert!(
            agent(Some(AgentPreset::Codex), checkout)
                .check(false)
                .is_ok()
        );
        assert!(
            agent(Some(AgentPreset::Command), checkout)
                .check(true)
                .is_ok()
        );
        assert!(agent(None, checkout).check(true).is_ok());
        for (agent, has_command) in [
            (agent(Some(AgentPreset::Codex), checkout), true),
            (agent(Some(AgentPreset::Codex), None), false),
            (agent(Some(AgentPreset::Command), checkout), false),
            (agent(None, checkout), false),
        ] {
            let refused = agent.check(has_command).expect_err("does not fit");
            assert_eq!(refused.field, "spec.agent", "{agent:?}");
        }
    }

    #[test]
    fn what_nothing_reads_is_refused() {
        let spec = AgentSpec {
            checkout: Some(Checkout::default()),
            model: "gpt".to_owned(),
            ..AgentSpec::default()
        };
        assert_eq!(spec.check(true).unwrap_err().field, "spec.agent.model");
    }

    #[test]
    fn prompt_files_stay_in_the_repository() {
        for good in ["AGENTS.md", ".ck8s/prompt.md", "docs/a b.md"] {
            assert!(is_repository_path(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            ".git/config",
            "a\nb",
        ] {
            assert!(!is_repository_path(bad), "{bad}");
        }
    }
}
