//! Reports of runs to the provider: a status on the commit, one comment in the issue or pull request, and a reaction to
//! the comment that asked for the run.
mod comment;
mod due;
mod read_events;
mod read_run;
mod report_runs;
mod text;

pub(crate) use report_runs::ReportingOutcome;
