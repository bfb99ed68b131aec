//! How scopes of tokens compare.
use super::Scope;

impl Scope {
    /// As far as the user may.
    pub fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// Whether it lets its user do nothing that the other does not.
    pub fn is_within(self, other: Self) -> bool {
        let role = other
            .max_role
            .is_none_or(|most| self.max_role.is_some_and(|role| role <= most));
        role && (other.project.is_none() || self.project == other.project)
    }
}

#[cfg(test)]
mod tests {
    use ck8s_types::{ProjectId, ProjectRole};

    use super::*;

    fn scope(max_role: Option<ProjectRole>, project: Option<ProjectId>) -> Scope {
        Scope { max_role, project }
    }

    #[test]
    fn within_is_no_wider() {
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
