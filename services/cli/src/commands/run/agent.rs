//! `ck8s run agent`: what is known of the agent of a run, and the prompt that it was given.
use ck8s_proto::runs::v1::{
    AgentReport, GetPromptRequest, GetRunRequest, Outcome, OutcomeKind, Usage, UsageSource,
};
use clap::Args;

use crate::{
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    output::ForeignOutput,
    table::{enum_label, key_values},
};

/// Whose agent to show.
#[derive(Args, Clone, Debug)]
pub struct Agent {
    /// The run's id.
    pub run: String,
    /// Print the prompt instead, exactly as the agent was given it.
    #[arg(long)]
    pub prompt: bool,
}

pub(super) async fn run(connection: &Connection, args: Agent) -> Result<(), CliError> {
    let Agent { run, prompt } = args;
    if prompt {
        return print_prompt(connection, run).await;
    }
    let what = format!("cannot get run {run}");
    let request = GetRunRequest {
        run_id: run.clone(),
    };
    let request = connection.client.request(request);
    let response = connection.client.runs().get_run(request).await;
    let Some(report) = response.context(what)?.agent else {
        let hint = "it has no agent, or has not begun: `ck8s run get` shows what runs";
        let what = format!("nothing is known of an agent of run {run}");
        return Err(CliError::new(ExitStatus::NotFound, what, "", hint));
    };
    connection.format.print_one(&report, || describe(&report))
}

async fn print_prompt(connection: &Connection, run: String) -> Result<(), CliError> {
    let what = format!("cannot get the prompt of run {run}");
    let request = GetPromptRequest {
        run_id: run,
        attempt: 0,
    };
    let request = connection.client.request(request);
    let response = connection.client.runs().get_prompt(request).await;
    ForeignOutput::new().print(response.context(what)?.prompt.as_bytes())
}

fn describe(report: &AgentReport) -> String {
    let outcome = report.outcome.clone().unwrap_or_default();
    key_values(&[
        ("Attempt", report.attempt.to_string()),
        ("Model", report.model.clone()),
        ("Session", report.session_id.clone()),
        (
            "Tokens",
            report.usage.as_ref().map(tokens).unwrap_or_default(),
        ),
        ("Cost", report.usage.as_ref().map(cost).unwrap_or_default()),
        ("Activities", report.activities.to_string()),
        ("Outcome", left(&outcome)),
        ("Branch", outcome.branch),
        ("Commit", outcome.commit_sha),
        ("Title", outcome.title),
        ("Summary", outcome.summary),
    ])
}

fn tokens(usage: &Usage) -> String {
    let source = match usage.source() {
        UsageSource::Steps => ", the sum of its steps",
        UsageSource::Agent | UsageSource::Unspecified => "",
    };
    format!(
        "{} read ({} from the cache), {} written{source}",
        usage.input_tokens, usage.cached_input_tokens, usage.output_tokens
    )
}

/// Says what it cost; an estimate is called one, and what is not known is not shown.
fn cost(usage: &Usage) -> String {
    match (usage.cost_usd, usage.cost_estimated) {
        (Some(cost), false) => format!("${cost:.4}"),
        (Some(cost), true) => format!("${cost:.4}, estimated"),
        (None, _) => String::new(),
    }
}

fn left(outcome: &Outcome) -> String {
    match outcome.kind() {
        OutcomeKind::Unspecified => String::new(),
        OutcomeKind::Changes => format!("{} files changed", outcome.files_changed),
        kind => enum_label(kind.as_str_name(), "OUTCOME_KIND"),
    }
}
