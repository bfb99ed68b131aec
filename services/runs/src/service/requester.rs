//! Who asks, and which projects and runs they reach.
use ck8s_rpc::{Caller, project_access::Access, status};
use ck8s_types::{ProjectId, ProjectRole, RunId, RunSpec, RunTrigger};
use sqlx::PgConnection;

use crate::{domain::Run, error::RunsError, peers::Peers, store::runs};

/// Who makes a call, and what they reach.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    pub caller: Caller,
    pub access: Access,
}

impl Requester {
    /// As it stands in flow events.
    pub(super) fn actor(&self) -> String {
        self.caller.actor()
    }

    /// Lets a run see itself and no other one: to a run, the others do not exist.
    pub(super) fn check_visible(&self, run: RunId) -> Result<(), RunsError> {
        if self.caller.may_see_run(run) {
            Ok(())
        } else {
            Err(RunsError::NoRun(run))
        }
    }

    /// Returns a run, if the requester may do in its project what the method asks for. What they may not see does not
    /// exist.
    pub(super) async fn run(
        &self,
        conn: &mut PgConnection,
        run_id: RunId,
    ) -> Result<Run, RunsError> {
        let run = runs::get(conn, run_id).await?;
        self.check_run(&run)?;
        Ok(run)
    }

    /// As [`Requester::run`], for a run that was read already.
    pub(super) fn check_run(&self, run: &Run) -> Result<(), RunsError> {
        self.access
            .project(run.project, || RunsError::NoRun(run.id).into())?;
        Ok(())
    }

    /// Lets nobody but a project's admins have a spec of their own given secrets: it could do anything with them.
    pub(super) fn check_secrets(
        &self,
        project: ProjectId,
        trigger: &RunTrigger,
        spec: &RunSpec,
    ) -> Result<(), RunsError> {
        let is_free = !trigger.name.is_empty() || spec.secrets.is_empty();
        if is_free || self.access.has_role(project, ProjectRole::Admin) {
            return Ok(());
        }
        Err(RunsError::SecretsNeedAdmin(spec.secrets.clone()))
    }

    /// Returns the id and the slug of a project that is named by either. What they may not see does not exist.
    pub(super) async fn project(
        &self,
        peers: &Peers,
        name: &str,
    ) -> Result<(ProjectId, String), RunsError> {
        let found = peers.project(name).await?;
        self.access
            .project(found.0, || status::not_found("project", name))?;
        Ok(found)
    }
}
