//! Persons: a user as a caller, with the roles that their token leaves them.
use ck8s_types::{ProjectId, ProjectRole, UserId};

use super::scope::Scope;

/// A role in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub project: ProjectId,
    pub role: ProjectRole,
}

/// A user as a caller, limited to the scope of their token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub user_id: UserId,
    /// The login at the provider, else the address.
    pub name: String,
    /// May do everything in every project.
    pub platform_admin: bool,
    /// The role in every project: of a platform admin's token with a scope.
    pub everywhere: Option<ProjectRole>,
    pub memberships: Vec<Membership>,
}

impl Person {
    /// Limits a person to a scope. A platform admin with a scope is not a platform admin: they have its role (else
    /// admin) in its project (else in every project).
    pub(crate) fn limited_to(mut self, scope: Scope) -> Self {
        let Scope { max_role, project } = scope;
        if max_role.is_none() && project.is_none() {
            return self;
        }
        if self.platform_admin {
            self.platform_admin = false;
            let role = max_role.unwrap_or(ProjectRole::Admin);
            self.memberships.clear();
            match project {
                Some(project) => self.memberships.push(Membership { project, role }),
                None => self.everywhere = Some(role),
            }
            return self;
        }
        self.memberships
            .retain(|one| project.is_none_or(|project| project == one.project));
        for one in &mut self.memberships {
            one.role = max_role.map_or(one.role, |max| max.min(one.role));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(platform_admin: bool, roles: &[(ProjectId, ProjectRole)]) -> Person {
        let membership = |&(project, role)| Membership { project, role };
        Person {
            user_id: UserId::new(),
            name: "ada".into(),
            platform_admin,
            everywhere: None,
            memberships: roles.iter().map(membership).collect(),
        }
    }

    #[test]
    fn a_scope_limits_roles_and_grants_none() {
        let (one, other) = (ProjectId::new(), ProjectId::new());
        let ada = person(
            false,
            &[(one, ProjectRole::Admin), (other, ProjectRole::Read)],
        );
        assert_eq!(ada.clone().limited_to(Scope::default()), ada);
        let cut = ada.clone().limited_to(Scope {
            max_role: Some(ProjectRole::ReadWrite),
            project: None,
        });
        let roles: Vec<_> = cut.memberships.iter().map(|m| m.role).collect();
        assert_eq!(roles, [ProjectRole::ReadWrite, ProjectRole::Read]);
        let there = ada.limited_to(Scope {
            max_role: None,
            project: Some(other),
        });
        assert_eq!(there.memberships.len(), 1);
        assert_eq!(there.memberships[0].project, other);
        let nowhere = person(false, &[]).limited_to(Scope {
            max_role: Some(ProjectRole::Admin),
            project: Some(one),
        });
        assert!(nowhere.memberships.is_empty() && nowhere.everywhere.is_none());
    }

    #[test]
    fn a_scope_takes_platform_admin_away() {
        let project = ProjectId::new();
        let root = person(true, &[(project, ProjectRole::Read)]);
        assert!(root.clone().limited_to(Scope::default()).platform_admin);
        let reader = root.clone().limited_to(Scope {
            max_role: Some(ProjectRole::Read),
            project: None,
        });
        assert!(!reader.platform_admin && reader.memberships.is_empty());
        assert_eq!(reader.everywhere, Some(ProjectRole::Read));
        let there = root.limited_to(Scope {
            max_role: None,
            project: Some(project),
        });
        assert!(!there.platform_admin && there.everywhere.is_none());
        let role = ProjectRole::Admin;
        assert_eq!(there.memberships, [Membership { project, role }]);
    }
}
