//! `ck8s repo check` and `ck8s repo mend`: print what is right and what is wrong; the exit status is 1 if something is
//! wrong.
use ck8s_proto::{
    repositories::v1::{
        CheckRepositoryRequest, CheckRepositoryResponse, Finding, MendRepositoryRequest,
        MendRepositoryResponse, Standing,
    },
    runs::v1::{ListRunsRequest, RunState},
};

use super::show;
use crate::{
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    json::ContractMessage,
    table::{age, enum_label},
};

/// Checks a repository.
pub(super) async fn check(
    connection: &Connection,
    repository: String,
) -> Result<ExitStatus, CliError> {
    let what = format!("cannot check repository {repository}");
    let request = CheckRepositoryRequest {
        repository: repository.clone(),
    };
    let mut service = connection.client.repositories();
    let response = service
        .check_repository(connection.client.request(request))
        .await;
    let mut findings = response.context(what)?.findings;
    add_last_run(connection, repository, &mut findings).await?;
    let response = CheckRepositoryResponse { findings };
    print(connection, &response, &response.findings)
}

/// Repairs a repository, and checks it then.
pub(super) async fn mend(
    connection: &Connection,
    repository: String,
) -> Result<ExitStatus, CliError> {
    let what = format!("cannot mend repository {repository}");
    let request = MendRepositoryRequest {
        request_id: request_id(),
        repository: repository.clone(),
    };
    let mut service = connection.client.repositories();
    let response = service
        .mend_repository(connection.client.request(request))
        .await;
    let mut findings = response.context(what)?.findings;
    add_last_run(connection, repository, &mut findings).await?;
    let response = MendRepositoryResponse { findings };
    print(connection, &response, &response.findings)
}

/// Adds a finding about the last run, which the runs service knows; it goes before the rate limit, which depends on
/// nothing.
async fn add_last_run(
    connection: &Connection,
    repository: String,
    findings: &mut Vec<Finding>,
) -> Result<(), CliError> {
    let repository = show::get(connection, repository).await?;
    let request = ListRunsRequest {
        repository_id: repository.id,
        project_id: repository.project_id,
        page_size: 1,
        ..Default::default()
    };
    let mut service = connection.client.runs();
    let response = service.list_runs(connection.client.request(request)).await;
    let runs = response.context("cannot list the repository's runs")?.runs;
    let (standing, message, remedy) = match runs.first() {
        None => (
            Standing::Unknown,
            "none was made yet".to_owned(),
            String::new(),
        ),
        Some(run) => {
            let age = age(run.create_time.as_ref());
            let state = enum_label(run.state().as_str_name(), "RUN_STATE_");
            let message = format!("the last one, {age} ago, is {state}");
            let failed = run.state() == RunState::Failed;
            let remedy = if failed {
                format!("ck8s run explain {}", run.id)
            } else {
                String::new()
            };
            // A failed run may be the right result: nothing is wrong with the repository.
            (Standing::Ok, message, remedy)
        }
    };
    let finding = Finding {
        subject: "run".to_owned(),
        standing: standing.into(),
        message,
        remedy,
    };
    let index = findings.iter().position(|f| f.subject == "rate_limit");
    findings.insert(index.unwrap_or(findings.len()), finding);
    Ok(())
}

/// Prints the findings, and returns the exit status.
fn print<M: ContractMessage>(
    connection: &Connection,
    response: &M,
    findings: &[Finding],
) -> Result<ExitStatus, CliError> {
    connection.format.print_one(response, || {
        let lines: Vec<String> = findings.iter().map(line).collect();
        lines.join("\n")
    })?;
    let wrong = findings.iter().any(|f| f.standing() == Standing::Wrong);
    Ok(if wrong {
        ExitStatus::Failed
    } else {
        ExitStatus::Success
    })
}

fn line(finding: &Finding) -> String {
    let standing = match finding.standing() {
        Standing::Ok => "ok",
        Standing::Wrong => "WRONG",
        Standing::Unknown | Standing::Unspecified => "?",
    };
    let mut line = format!(
        "{standing:5}  {:13}  {}",
        finding
            .subject
            .replace("services_yaml", "services.yaml")
            .replace('_', " "),
        finding.message
    );
    if !finding.remedy.is_empty() {
        line.push_str(&format!("\n{:22}→ {}", "", finding.remedy));
    }
    line
}
