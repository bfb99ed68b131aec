//! What a commit's status and a comment say of a run.
use ck8s_provider::CommitState;
use ck8s_types::{RunId, RunReason, RunState};

use crate::domain::report::ReportedRun;

/// Bounds the description of a commit's status: GitHub shows no more.
const MAX_SUMMARY_CHARS: usize = 140;

/// The hidden line by which our comment in a thread is found.
pub(super) const MARKER: &str = "<!-- ck8s -->";

/// Returns the state of a commit's status: a failure is the verdict of the workload, an error is whatever kept it from
/// a verdict.
pub(super) fn commit_state(run: &ReportedRun) -> CommitState {
    match (run.state, run.reason) {
        (RunState::Succeeded, _) => CommitState::Success,
        (RunState::Failed, Some(RunReason::AgentError)) => CommitState::Failure,
        (RunState::Failed | RunState::Canceled, _) => CommitState::Error,
        (RunState::Pending | RunState::Running, _) => CommitState::Pending,
    }
}

/// Returns one line about a run: state, reason, duration.
pub(super) fn summary(run: &ReportedRun) -> String {
    let mut line = run.state.as_str().to_owned();
    if let Some(reason) = run.reason.filter(|reason| *reason != RunReason::Completed) {
        line.push_str(&format!(": {}", reason.as_str().replace('_', " ")));
    }
    if let Some(duration) = duration(run) {
        line.push_str(&format!(" after {duration}"));
    }
    line.chars().take(MAX_SUMMARY_CHARS).collect()
}

/// Returns the text of our comment in a thread about the runs that one delivery made; `page` is a run's page.
pub(super) fn comment(runs: &[ReportedRun], page: impl Fn(RunId) -> String) -> String {
    let link = |run: &ReportedRun| format!("[Run {}]({})", run.id, page(run.id));
    let [run] = runs else {
        let lines = runs
            .iter()
            .map(|run| format!("- {} · {}", headline(run), link(run)));
        let lines: Vec<String> = lines.collect();
        return format!("{MARKER}\n{}\n", lines.join("\n"));
    };
    let next = match (run.state, run.reason) {
        (RunState::Succeeded, _) => "",
        (RunState::Failed, Some(RunReason::AgentError)) => {
            "The log shows what the command wrote. Trigger it again to repeat it."
        }
        (RunState::Failed, _) => "Its page says why, and what to do about it.",
        (RunState::Canceled, _) => "Trigger it again to repeat it.",
        (RunState::Running, _) => "It is at work.",
        (RunState::Pending, _) => "It waits for its turn.",
    };
    format!("{MARKER}\n{}\n\n{next}\n\n{}\n", headline(run), link(run))
}

fn headline(run: &ReportedRun) -> String {
    let name = without_markdown(&run.trigger.name);
    format!("**{name}** · {}", summary(run))
}

fn duration(run: &ReportedRun) -> Option<String> {
    let seconds = (run.finished_at? - run.started_at?).whole_seconds().max(0);
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    })
}

/// Returns a name without what Markdown would interpret.
fn without_markdown(name: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || " -_./:".contains(*c);
    name.chars().filter(is_plain).collect()
}

#[cfg(test)]
mod tests {
    use ck8s_types::RunTrigger;
    use time::{Duration, OffsetDateTime};

    use super::*;

    fn run(state: RunState, reason: RunReason) -> ReportedRun {
        let start = OffsetDateTime::UNIX_EPOCH + Duration::seconds(100);
        ReportedRun {
            id: RunId::new(),
            repository: None,
            state,
            reason: Some(reason),
            trigger: RunTrigger::default(),
            started_at: Some(start),
            finished_at: Some(start + Duration::seconds(125)),
        }
    }

    #[test]
    fn a_verdict_is_a_failure_and_anything_else_an_error() {
        let failed = run(RunState::Failed, RunReason::AgentError);
        assert_eq!(commit_state(&failed), CommitState::Failure);
        assert_eq!(summary(&failed), "failed: agent error after 2 min 5 s");
        let lost = run(RunState::Failed, RunReason::WorkerLost);
        assert_eq!(commit_state(&lost), CommitState::Error);
        let good = run(RunState::Succeeded, RunReason::Completed);
        assert_eq!(summary(&good), "succeeded after 2 min 5 s");
    }

    #[test]
    fn a_comment_names_every_run_of_its_delivery() {
        let page = |run: RunId| format!("http://x/#/runs/{run}");
        let mut runs = [RunReason::Completed, RunReason::AgentError].map(|reason| {
            let state = match reason {
                RunReason::Completed => RunState::Succeeded,
                _ => RunState::Failed,
            };
            run(state, reason)
        });
        for (run, name) in runs.iter_mut().zip(["build", "lint"]) {
            name.clone_into(&mut run.trigger.name);
        }
        let alone = comment(&runs[1..], page);
        assert!(
            alone.starts_with(MARKER) && alone.contains("The log shows"),
            "{alone}"
        );
        let [build, lint] = runs.each_ref().map(|run| run.id);
        assert_eq!(
            comment(&runs, page),
            format!(
                "{MARKER}\n- **build** · succeeded after 2 min 5 s · [Run {build}](http://x/#/runs/{build})\n\
                 - **lint** · failed: agent error after 2 min 5 s · [Run {lint}](http://x/#/runs/{lint})\n"
            )
        );
    }
}
