//! Who a person is and what they may, as far as the token that they show lets them.
use ck8s_types::{ProjectId, ProjectRole, UserId};

/// What a token is limited to; by default, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Never more than this role.
    pub max_role: Option<ProjectRole>,
    /// In this project alone.
    pub project_id: Option<ProjectId>,
}

impl Scope {
    /// As much as the user.
    pub fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// Whether it lets do nothing that the other does not.
    pub fn is_within(self, other: Self) -> bool {
        let role = other
            .max_role
            .is_none_or(|most| self.max_role.is_some_and(|role| role <= most));
        role && (other.project_id.is_none() || self.project_id == other.project_id)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub user_id: UserId,
    /// The provider's login, else the address.
    pub name: String,
    /// May do everything.
    pub platform_admin: bool,
    /// A role in every project: a platform admin's token with a scope.
    pub everywhere: Option<ProjectRole>,
    pub memberships: Vec<(ProjectId, ProjectRole)>,
}

impl Person {
    /// Cut to a token's scope. A platform admin whose token has one is none with it.
    pub fn within(self, scope: Scope) -> Self {
        if scope.is_whole() {
            return self;
        }
        let cut = |role: ProjectRole| scope.max_role.map_or(role, |most| role.min(most));
        let here = |project: ProjectId| scope.project_id.is_none_or(|only| only == project);
        let admin = self.platform_admin.then(|| cut(ProjectRole::Admin));
        let memberships = self.memberships.into_iter();
        let mut memberships: Vec<_> = memberships
            .filter(|(project, _)| here(*project))
            .map(|(project, role)| (project, admin.unwrap_or_else(|| cut(role))))
            .collect();
        if let (Some(role), Some(project), true) = (admin, scope.project_id, memberships.is_empty())
        {
            memberships.push((project, role));
        }
        Self {
            platform_admin: false,
            everywhere: admin.filter(|_| scope.project_id.is_none()),
            memberships,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octo(platform_admin: bool, memberships: &[(ProjectId, ProjectRole)]) -> Person {
        Person {
            user_id: UserId::new(),
            name: "octo".to_owned(),
            platform_admin,
            everywhere: None,
            memberships: memberships.to_vec(),
        }
    }

    fn scope(max_role: Option<ProjectRole>, project_id: Option<ProjectId>) -> Scope {
        Scope {
            max_role,
            project_id,
        }
    }

    #[test]
    fn a_scope_cuts_and_never_adds() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let person = octo(false, &[(a, ProjectRole::Admin), (b, ProjectRole::Read)]);
        assert_eq!(person.clone().within(Scope::default()), person);
        let cut = person
            .clone()
            .within(scope(Some(ProjectRole::ReadWrite), None));
        assert_eq!(
            cut.memberships,
            [(a, ProjectRole::ReadWrite), (b, ProjectRole::Read)]
        );
        let cut = person.clone().within(scope(None, Some(b)));
        assert_eq!(cut.memberships, [(b, ProjectRole::Read)]);
        let cut = person.within(scope(None, Some(ProjectId::new())));
        assert_eq!(cut.memberships, []);
    }

    #[test]
    fn a_platform_admins_scoped_token_is_no_platform_admins() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let admin = octo(true, &[(a, ProjectRole::Read)]);
        assert!(admin.clone().within(Scope::default()).platform_admin);
        let cut = admin.clone().within(scope(Some(ProjectRole::Read), None));
        assert!(!cut.platform_admin);
        assert_eq!(cut.everywhere, Some(ProjectRole::Read));
        for project in [a, b] {
            let cut = admin.clone().within(scope(None, Some(project)));
            assert!(!cut.platform_admin);
            assert_eq!(cut.everywhere, None);
            assert_eq!(cut.memberships, [(project, ProjectRole::Admin)]);
        }
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
