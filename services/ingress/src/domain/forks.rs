//! Code of another repository: what the trigger, and the person who acts, say about it.
use super::origin::OtherRepository;

/// What a trigger does with code of another repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ForkPolicy {
    /// Nothing runs, unless a person asks for the very commit.
    #[default]
    Deny,
    /// It runs, without secrets.
    Allow,
    /// It runs with secrets.
    AllowWithSecrets,
}

/// What decides about code of another repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ForkRules {
    pub(crate) policy: ForkPolicy,
    /// A person, who has write access if the delivery makes a run, gives a command. They vouch for the commit.
    pub(crate) is_command: bool,
    /// The sender is a bot that may trigger because any bot of the repository itself may.
    pub(crate) is_unnamed_bot: bool,
}

/// Whether a run gets the secrets that its spec names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Secrets {
    Given,
    Withheld,
}

impl ForkRules {
    /// Returns whether a run of this repository's code gets secrets, or why there is none.
    pub(crate) fn admit(self, other: &OtherRepository) -> Result<Secrets, String> {
        let code = match other.full_name.as_str() {
            "" => "code whose repository is gone or not known".to_owned(),
            name => format!("code of the fork {name:?}"),
        };
        if self.is_unnamed_bot {
            return Err(format!(
                "allows any bot in the repository itself, not with {code}: name the bot"
            ));
        }
        if self.is_command {
            return Ok(Secrets::Given);
        }
        match self.policy {
            ForkPolicy::Deny => Err(format!(
                "is not for {code}: somebody with write access may ask for its commit by a command in a comment, or the \
                 trigger says `forks: allow`"
            )),
            ForkPolicy::Allow => Ok(Secrets::Withheld),
            ForkPolicy::AllowWithSecrets => Ok(Secrets::Given),
        }
    }
}
