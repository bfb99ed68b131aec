//! Which projects a call reaches. The guard puts an [`Access`] into each request; a handler asks it for the project of
//! what it touches, or for the scope of what it lists. To a person, what is in a project where they have no role does
//! not exist.
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use ck8s_types::{ProjectId, ProjectRole};
use tonic::{Request, Status};

use crate::{Caller, caller::Projects, status};

/// The handler has not checked the access yet.
const UNCHECKED: u8 = 0;
/// The handler has checked the access, and nobody was refused for want of a role.
const CHECKED: u8 = 1;
/// A person was refused who has a lesser role.
const REFUSED: u8 = 2;

/// What a list may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything, also what belongs to no project.
    All,
    /// What belongs to any project.
    EveryProject,
    /// What belongs to these projects.
    Projects(Vec<ProjectId>),
}

impl Scope {
    /// Returns the projects of a list in which everything belongs to a project. None: all projects.
    #[must_use]
    pub fn projects(self) -> Option<Vec<ProjectId>> {
        match self {
            Self::All | Self::EveryProject => None,
            Self::Projects(projects) => Some(projects),
        }
    }

    /// Whether something is in it that belongs to this project, or to none.
    #[must_use]
    pub fn holds(&self, project: Option<ProjectId>) -> bool {
        match (self, project) {
            (Self::All, _) | (Self::EveryProject, Some(_)) => true,
            (Self::Projects(projects), Some(project)) => projects.contains(&project),
            (Self::EveryProject | Self::Projects(_), None) => false,
        }
    }
}

/// Which projects a call reaches, with the role that its method's rule asks for. A clone is the same.
#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reach: Reach,
    role: ProjectRole,
    /// Whether the handler must check it.
    must_check: bool,
    state: AtomicU8,
}

#[derive(Debug)]
enum Reach {
    All,
    One(ProjectId),
    Some(Arc<Projects>),
}

/// Returns the access of a request that came through the guard. Without a guard in front, nothing can be reached.
pub fn of<T>(request: &Request<T>) -> Access {
    let access = request.extensions().get::<Access>().cloned();
    access.unwrap_or_else(|| Access::new(&Caller::Anonymous, None))
}

impl Access {
    /// The access of a caller whom the policy admitted, to a method whose rule asks people for this role.
    #[must_use]
    pub fn new(caller: &Caller, role: Option<ProjectRole>) -> Self {
        let reach = match caller {
            Caller::Admin { .. } | Caller::Service { .. } => Reach::All,
            Caller::Person { projects, .. } => Reach::Some(projects.clone()),
            Caller::Run { project_id, .. } => Reach::One(*project_id),
            Caller::Anonymous | Caller::Worker { .. } => Reach::Some(Arc::default()),
        };
        Self(Arc::new(Inner {
            must_check: role.is_some() && matches!(caller, Caller::Person { .. }),
            reach,
            role: role.unwrap_or(ProjectRole::Read),
            state: AtomicU8::new(UNCHECKED),
        }))
    }

    /// Checks that the call may touch what is in this project.
    ///
    /// # Errors
    /// `missing`, where the caller has no role: the same status as for what does not exist. PERMISSION_DENIED, where
    /// the role is less than the method's.
    pub fn project(
        &self,
        project: ProjectId,
        missing: impl FnOnce() -> Status,
    ) -> Result<(), Status> {
        self.0.state.fetch_max(CHECKED, Relaxed);
        match self.role_in(project) {
            None => Err(missing()),
            Some(role) if role < self.0.role => {
                self.0.state.store(REFUSED, Relaxed);
                Err(status::role_needed(self.0.role))
            }
            Some(_) => Ok(()),
        }
    }

    /// Returns what a list may show: the projects where the caller has the method's role at least.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.0.state.fetch_max(CHECKED, Relaxed);
        match &self.0.reach {
            Reach::All => Scope::All,
            Reach::One(project) => Scope::Projects(vec![*project]),
            Reach::Some(projects) if projects.everywhere >= Some(self.0.role) => {
                Scope::EveryProject
            }
            Reach::Some(projects) => {
                let all = projects.by_project.iter();
                let enough = all.filter(|(_, role)| **role >= self.0.role);
                Scope::Projects(enough.map(|(project, _)| *project).collect())
            }
        }
    }

    /// Returns what a list may show: the named project, or all that the caller may see.
    ///
    /// # Errors
    /// As [`Self::project`]; what is missing is the project.
    pub fn listed(&self, named: Option<ProjectId>) -> Result<Scope, Status> {
        let Some(project) = named else {
            return Ok(self.scope());
        };
        self.project(project, || status::not_found("project", project))?;
        Ok(Scope::Projects(vec![project]))
    }

    /// Returns the role of the caller in a project. None: to them, it does not exist.
    #[must_use]
    pub fn role_in(&self, project: ProjectId) -> Option<ProjectRole> {
        match &self.0.reach {
            Reach::All => Some(ProjectRole::Admin),
            Reach::One(own) => (*own == project).then_some(ProjectRole::Admin),
            Reach::Some(projects) => projects.role_in(project),
        }
    }

    /// Returns whether the caller has at least this role in a project, for what takes more than the method's own role.
    /// If not, that counts as a refusal, which the guard records.
    #[must_use]
    pub fn has_role(&self, project: ProjectId, role: ProjectRole) -> bool {
        let has = self.role_in(project) >= Some(role);
        if !has {
            self.0.state.store(REFUSED, Relaxed);
        }
        has
    }

    /// Whether a handler that must check the access did not: nobody knows whether the person may see the response.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.0.must_check && self.0.state.load(Relaxed) == UNCHECKED
    }

    /// Whether a person was refused who has a lesser role.
    pub(crate) fn was_refused(&self) -> bool {
        self.0.state.load(Relaxed) == REFUSED
    }
}

#[cfg(test)]
mod tests;
