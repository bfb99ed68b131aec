//! A person: who they are and where they may do what, as far as what they show lets them.
use ck8s_types::{ProjectId, ProjectRole, UserId};

/// A role in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub project: ProjectId,
    pub role: ProjectRole,
}

/// How far a token lets its user go; the default: as far as the user may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Never more than this role.
    pub max_role: Option<ProjectRole>,
    /// In this project alone.
    pub project: Option<ProjectId>,
}

/// A person, within a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub user_id: UserId,
    /// What people call them: the provider's login, else the address.
    pub name: String,
    /// May do everything, in every project.
    pub platform_admin: bool,
    /// A role in every project: a platform admin's token with a scope.
    pub everywhere: Option<ProjectRole>,
    pub memberships: Vec<Membership>,
}

impl Person {
    /// What is left of a person in a scope. A platform admin whose token has one is none: they have its role, else admin, in its
    /// project, else everywhere.
    pub fn within(mut self, scope: Scope) -> Self {
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
            one.role = max_role.map_or(one.role, |most| most.min(one.role));
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
    fn a_scope_takes_away_and_never_gives() {
        let (one, other) = (ProjectId::new(), ProjectId::new());
        let ada = person(
            false,
            &[(one, ProjectRole::Admin), (other, ProjectRole::Read)],
        );
        assert_eq!(ada.clone().within(Scope::default()), ada);
        let cut = ada.clone().within(Scope {
            max_role: Some(ProjectRole::ReadWrite),
            project: None,
        });
        let roles: Vec<_> = cut.memberships.iter().map(|m| m.role).collect();
        assert_eq!(roles, [ProjectRole::ReadWrite, ProjectRole::Read]);
        let there = ada.within(Scope {
            max_role: None,
            project: Some(other),
        });
        assert_eq!(there.memberships.len(), 1);
        assert_eq!(there.memberships[0].project, other);
        let nowhere = person(false, &[]).within(Scope {
            max_role: Some(ProjectRole::Admin),
            project: Some(one),
        });
        assert!(nowhere.memberships.is_empty() && nowhere.everywhere.is_none());
    }

    #[test]
    fn a_scope_makes_a_platform_admin_a_person() {
        let project = ProjectId::new();
        let root = person(true, &[(project, ProjectRole::Read)]);
        assert!(root.clone().within(Scope::default()).platform_admin);
        let reader = root.clone().within(Scope {
            max_role: Some(ProjectRole::Read),
            project: None,
        });
        assert!(!reader.platform_admin && reader.memberships.is_empty());
        assert_eq!(reader.everywhere, Some(ProjectRole::Read));
        let there = root.within(Scope {
            max_role: None,
            project: Some(project),
        });
        assert!(!there.platform_admin && there.everywhere.is_none());
        let role = ProjectRole::Admin;
        assert_eq!(there.memberships, [Membership { project, role }]);
    }
}
