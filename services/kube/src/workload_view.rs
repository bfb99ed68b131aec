//! What is known of a workload: its Job and its pods. Pure.
use ck8s_types::RunReason;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use tokio::sync::watch;

use crate::{exit::Exit, pod_view::PodView};

/// What is known of a Job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobView {
    /// How it ended by its own conditions, once it has.
    pub exit: Option<Exit>,
    pub(crate) uid: String,
}

/// What is known of a workload.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WorkloadView {
    /// Its pods: one, but for moments.
    pub pods: Vec<PodView>,
    /// Its Job.
    pub job: Option<JobView>,
    /// The last pod that was removed.
    pub last_removed: Option<PodView>,
}

/// The view of one workload, which changes with the cluster.
pub type WorkloadWatch = watch::Receiver<WorkloadView>;

impl JobView {
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            exit: job_exit(job),
            uid: job.uid().unwrap_or_default(),
        }
    }
}

/// Returns how a Job ended by its own conditions: all that is left to know when its pod is gone.
fn job_exit(job: &Job) -> Option<Exit> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let condition = |kind: &str| {
        conditions
            .iter()
            .find(|c| c.type_ == kind && c.status == "True")
    };
    if condition("Complete").is_some() {
        return Some(Exit::completed());
    }
    let failed = condition("Failed")?;
    let reason = match failed.reason.as_deref() {
        Some("DeadlineExceeded") => RunReason::TimedOut,
        _ => RunReason::AgentError,
    };
    let message = failed.message.as_deref().unwrap_or_default();
    Some(Exit::without_code(reason, "The Job failed", message))
}
