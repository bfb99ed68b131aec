//! Scopes of tokens: how much of their user's rights they give.
use ck8s_types::{ProjectId, ProjectRole};
use serde::{Deserialize, Serialize};

/// The limits of a token. The default has none: the token may do what its user may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// The highest role.
    pub max_role: Option<ProjectRole>,
    /// The only project.
    pub project: Option<ProjectId>,
}

impl Scope {
    /// Reports whether it limits nothing.
    pub(crate) fn is_unlimited(self) -> bool {
        self == Self::default()
    }

    /// Reports whether it allows nothing that the other one does not allow.
    pub(crate) fn is_within(self, other: Self) -> bool {
        let role = other
            .max_role
            .is_none_or(|max| self.max_role.is_some_and(|role| role <= max));
        role && (other.project.is_none() || self.project == other.project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(max_role: Option<ProjectRole>, project: Option<ProjectId>) -> Scope {
        Scope { max_role, project }
    }

    #[test]
    fn a_scope_within_another_is_not_wider() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let (read, write) = (Some(ProjectRole::Read), Some(ProjectRole::ReadWrite));
        let good = [
            (scope(None, None), scope(None, None)),
            (scope(read, Some(a)), scope(None, None)),
            (scope(read, None), scope(write, None)),
            (scope(read, Some(a)), scope(read, Some(a))),
        ];
        for (inner, outer) in good {
            assert!(inner.is_within(outer), "{inner:?} {outer:?}");
        }
        let bad = [
            (scope(None, None), scope(read, None)),
            (scope(write, None), scope(read, None)),
            (scope(read, None), scope(read, Some(a))),
            (scope(read, Some(b)), scope(None, Some(a))),
        ];
        for (inner, outer) in bad {
            assert!(!inner.is_within(outer), "{inner:?} {outer:?}");
        }
    }
}
