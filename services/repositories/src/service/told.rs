//! What a commit's page and an issue say of a run: words alone.
use ck8s_proto::runs::v1::{Run, RunReason, RunState};
use ck8s_provider::CommitState;

/// What a commit's status shows, in characters.
const LONGEST: usize = 140;

/// The hidden line that our comment in a thread is known by.
pub const MARKER: &str = "<!-- ck8s -->";

/// The word of a run's state, as it is remembered that it was told.
pub fn word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Canceled => "canceled",
        RunState::Pending | RunState::Unspecified => "pending",
    }
}

/// How a run stands, in a commit's words: failure is the workload's own verdict, error is all that kept it from one.
pub fn commit_state(run: &Run) -> CommitState {
    match (run.state(), run.reason()) {
        (RunState::Succeeded, _) => CommitState::Success,
        (RunState::Failed, RunReason::AgentError) => CommitState::Failure,
        (RunState::Failed | RunState::Canceled, _) => CommitState::Error,
        _ => CommitState::Pending,
    }
}

/// One line for a commit's page.
pub fn line(run: &Run) -> String {
    let mut line = word(run.state()).to_owned();
    if let Some(reason) = reason(run) {
        line.push_str(&format!(": {reason}"));
    }
    if let Some(took) = took(run) {
        line.push_str(&format!(" after {took}"));
    }
    line.chars().take(LONGEST).collect()
}

/// Our comment in a thread. `page` is the run's.
pub fn comment(run: &Run, page: &str) -> String {
    let name = run.trigger.as_ref().map_or("", |t| t.name.as_str());
    let next = match (run.state(), run.reason()) {
        (RunState::Succeeded, _) => "",
        (RunState::Failed, RunReason::AgentError) => {
            "The log says what the command said. Trigger it again to repeat it."
        }
        (RunState::Failed, _) => "Its page says why, and what to do about it.",
        (RunState::Canceled, _) => "Trigger it again to repeat it.",
        (RunState::Running, _) => "It is at work.",
        _ => "It waits for its turn.",
    };
    format!(
        "{MARKER}\n**{}** · {}\n\n{next}\n\n[Run {}]({page})\n",
        plain(name),
        line(run),
        run.id
    )
}

fn reason(run: &Run) -> Option<String> {
    let word = run.reason().as_str_name().strip_prefix("RUN_REASON_")?;
    let told = word != "UNSPECIFIED" && word != "COMPLETED";
    told.then(|| word.to_lowercase().replace('_', " "))
}

fn took(run: &Run) -> Option<String> {
    let (from, to) = (run.start_time.as_ref()?, run.finish_time.as_ref()?);
    let seconds = (to.seconds - from.seconds).max(0);
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    })
}

/// A name without what Markdown would read.
fn plain(name: &str) -> String {
    let fits = |c: &char| c.is_alphanumeric() || " -_./:".contains(*c);
    name.chars().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: RunState, reason: RunReason) -> Run {
        Run {
            id: "0190".to_owned(),
            state: state.into(),
            reason: reason.into(),
            start_time: Some(prost_types::Timestamp {
                seconds: 100,
                nanos: 0,
            }),
            finish_time: Some(prost_types::Timestamp {
                seconds: 225,
                nanos: 0,
            }),
            ..Run::default()
        }
    }

    #[test]
    fn a_verdict_is_a_failure_and_what_kept_from_one_an_error() {
        let failed = run(RunState::Failed, RunReason::AgentError);
        assert_eq!(commit_state(&failed), CommitState::Failure);
        assert_eq!(line(&failed), "failed: agent error after 2 min 5 s");
        let lost = run(RunState::Failed, RunReason::WorkerLost);
        assert_eq!(commit_state(&lost), CommitState::Error);
        let good = run(RunState::Succeeded, RunReason::Completed);
        assert_eq!(line(&good), "succeeded after 2 min 5 s");
        assert!(comment(&good, "http://x/#/runs/0190").starts_with(MARKER));
    }
}
