//! What agents ask and tell, between the contract and the domain.
use ck8s_proto::{repositories::v1 as repositories, runs::v1 as pb};
use ck8s_rpc::{
    convert::{agent_to_pb, moment, timestamp},
    status,
};
use ck8s_types::{ActivityKind, OutcomeKind, UsageSource, WorkBranch, without_nul};
use time::OffsetDateTime;
use tonic::Status;

use crate::domain::{
    Activity, ActivityPlace, AgentOutcome, AgentProgress, AgentReport, AgentTask, Usage,
    prompt::{Comment, PromptSources, SourceFile, Thread},
};

/// Bounds the activities of one call.
const MAX_ACTIVITIES_PER_CALL: usize = 256;
/// Bounds one line of an activity, in bytes.
const MAX_TITLE_BYTES: usize = 500;
/// Bounds the text of an activity, in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Bounds what an agent calls its session and its model, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// Bounds the last words of an agent, in bytes.
const MAX_SUMMARY_BYTES: usize = 32 * 1024;

impl From<AgentTask> for pb::GetTaskResponse {
    fn from(task: AgentTask) -> Self {
        let AgentTask {
            run,
            prompt,
            work_branch,
        } = task;
        let secret_names = match run.trigger.secrets_withheld {
            true => Vec::new(),
            false => run.spec.secrets,
        };
        Self {
            run_id: run.id.to_string(),
            repository_name: run.repository_name,
            r#ref: run.trigger.git_ref,
            commit_sha: run.trigger.commit_sha,
            work_branch: work_branch.map(WorkBranch::into_name).unwrap_or_default(),
            agent: run.spec.agent.map(agent_to_pb),
            prompt,
            secret_names,
        }
    }
}

/// Reads what an agent tells of itself. Texts that are too long are cut.
pub(crate) fn progress_from_pb(
    request: &pb::AppendActivitiesRequest,
) -> Result<AgentProgress, Status> {
    if request.activities.len() > MAX_ACTIVITIES_PER_CALL {
        let problem = format!("at most {MAX_ACTIVITIES_PER_CALL}");
        return Err(status::invalid("activities", problem));
    }
    let attempt = request.attempt;
    let activities = request.activities.iter();
    let activities = activities.map(|activity| activity_from_pb(activity, attempt));
    Ok(AgentProgress {
        activities: activities.collect::<Result<_, _>>()?,
        usage: request.usage.map(Usage::from),
        session_id: shortened(&request.session_id, MAX_NAME_BYTES),
        model: shortened(&request.model, MAX_NAME_BYTES),
    })
}

fn activity_from_pb(activity: &pb::Activity, attempt: i32) -> Result<Activity, Status> {
    let kind = kind_from_pb(activity.kind());
    let kind =
        kind.ok_or_else(|| status::invalid("activities.kind", "must be one that is known"))?;
    if activity.sequence < 1 {
        return Err(status::invalid("activities.sequence", "must be above 0"));
    }
    let Some(time) = &activity.time else {
        return Err(status::invalid("activities.time", "must be a time"));
    };
    let happened_at = moment("activities.time", time)?.max(OffsetDateTime::UNIX_EPOCH);
    Ok(Activity {
        place: ActivityPlace {
            attempt,
            sequence: activity.sequence,
        },
        kind,
        title: shortened(&activity.title, MAX_TITLE_BYTES),
        text: shortened(&activity.text, MAX_TEXT_BYTES),
        happened_at,
        duration_ms: activity.duration_ms.max(0),
        exit_code: activity.exit_code,
        failed: activity.failed,
    })
}

impl From<Activity> for pb::Activity {
    fn from(activity: Activity) -> Self {
        Self {
            sequence: activity.place.sequence,
            kind: kind_to_pb(activity.kind).into(),
            title: activity.title,
            text: activity.text,
            time: Some(timestamp(activity.happened_at)),
            duration_ms: activity.duration_ms,
            exit_code: activity.exit_code,
            failed: activity.failed,
            attempt: activity.place.attempt,
        }
    }
}

impl From<pb::Usage> for Usage {
    fn from(usage: pb::Usage) -> Self {
        let source = match usage.source() {
            pb::UsageSource::Agent => Some(UsageSource::Agent),
            pb::UsageSource::Steps => Some(UsageSource::Steps),
            pb::UsageSource::Unspecified => None,
        };
        let cost = usage
            .cost_usd
            .filter(|cost| cost.is_finite() && *cost >= 0.0);
        Self {
            input_tokens: usage.input_tokens.max(0),
            cached_input_tokens: usage.cached_input_tokens.max(0),
            output_tokens: usage.output_tokens.max(0),
            reasoning_tokens: usage.reasoning_tokens.max(0),
            turns: usage.turns.max(0),
            cost_usd: cost,
            source,
            cost_estimated: usage.cost_estimated,
        }
    }
}

impl From<Usage> for pb::Usage {
    fn from(usage: Usage) -> Self {
        let source = match usage.source {
            Some(UsageSource::Agent) => pb::UsageSource::Agent,
            Some(UsageSource::Steps) => pb::UsageSource::Steps,
            None => pb::UsageSource::Unspecified,
        };
        Self {
            input_tokens: usage.input_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            turns: usage.turns,
            cost_usd: usage.cost_usd,
            source: source.into(),
            cost_estimated: usage.cost_estimated,
        }
    }
}

/// Reads what an attempt left behind. Texts that are too long are cut.
pub(crate) fn outcome_from_pb(outcome: Option<pb::Outcome>) -> Result<AgentOutcome, Status> {
    let outcome = outcome.unwrap_or_default();
    let kind = match outcome.kind() {
        pb::OutcomeKind::Changes => OutcomeKind::Changes,
        pb::OutcomeKind::NoChange => OutcomeKind::NoChange,
        pb::OutcomeKind::Incomplete => OutcomeKind::Incomplete,
        pb::OutcomeKind::Unspecified => {
            return Err(status::invalid("outcome.kind", "must be one that is known"));
        }
    };
    let title: String = outcome.title.lines().next().unwrap_or_default().to_owned();
    Ok(AgentOutcome {
        kind,
        branch: shortened(&outcome.branch, MAX_NAME_BYTES),
        commit_sha: shortened(&outcome.commit_sha, MAX_NAME_BYTES),
        base_sha: shortened(&outcome.base_sha, MAX_NAME_BYTES),
        files_changed: outcome.files_changed.max(0),
        title: shortened(&title, MAX_NAME_BYTES),
        summary: shortened(&outcome.summary, MAX_SUMMARY_BYTES),
    })
}

impl From<AgentOutcome> for pb::Outcome {
    fn from(outcome: AgentOutcome) -> Self {
        let kind = match outcome.kind {
            OutcomeKind::Changes => pb::OutcomeKind::Changes,
            OutcomeKind::NoChange => pb::OutcomeKind::NoChange,
            OutcomeKind::Incomplete => pb::OutcomeKind::Incomplete,
        };
        Self {
            kind: kind.into(),
            branch: outcome.branch,
            commit_sha: outcome.commit_sha,
            base_sha: outcome.base_sha,
            files_changed: outcome.files_changed,
            title: outcome.title,
            summary: outcome.summary,
        }
    }
}

impl From<AgentReport> for pb::AgentReport {
    fn from(report: AgentReport) -> Self {
        Self {
            attempt: report.attempt,
            session_id: report.session_id,
            model: report.model,
            usage: report.usage.map(Into::into),
            outcome: report.outcome.map(Into::into),
            activities: report.activities,
        }
    }
}

impl From<repositories::ReadPromptSourcesResponse> for PromptSources {
    fn from(sources: repositories::ReadPromptSourcesResponse) -> Self {
        let comment = |comment: repositories::ThreadComment| Comment {
            author: comment.author,
            body: comment.body,
        };
        let files = sources.files.into_iter().map(|file| SourceFile {
            path: file.path,
            text: file.text,
        });
        Self {
            thread: sources.thread.map(|thread| Thread {
                is_pull_request: thread.is_pull_request,
                title: thread.title,
                author: thread.author,
                body: thread.body,
                comments: thread.comments.into_iter().map(comment).collect(),
            }),
            files: files.collect(),
        }
    }
}

fn kind_to_pb(kind: ActivityKind) -> pb::ActivityKind {
    match kind {
        ActivityKind::Message => pb::ActivityKind::Message,
        ActivityKind::Tool => pb::ActivityKind::Tool,
        ActivityKind::FileChange => pb::ActivityKind::FileChange,
        ActivityKind::Plan => pb::ActivityKind::Plan,
        ActivityKind::Error => pb::ActivityKind::Error,
        ActivityKind::Note => pb::ActivityKind::Note,
    }
}

fn kind_from_pb(kind: pb::ActivityKind) -> Option<ActivityKind> {
    let all = ActivityKind::ALL.iter().copied();
    all.into_iter().find(|known| kind_to_pb(*known) == kind)
}

/// Returns a text that can be stored, cut to so many bytes.
fn shortened(text: &str, max_bytes: usize) -> String {
    let text = without_nul(text);
    text[..text.floor_char_boundary(max_bytes)].to_owned()
}
