//! `ck8s repo check` and `ck8s repo mend`: one screen in words, and 1 if something is wrong.
use ck8s_proto::{
    repositories::v1::{
        CheckRepositoryRequest, CheckRepositoryResponse, Finding, MendRepositoryRequest,
        MendRepositoryResponse, Standing,
    },
    runs::v1::{ListRunsRequest, RunState},
};

use crate::{
    client::request_id,
    fault::{Answer, Exit, Fault},
    json::Named,
    session::Session,
    table::{age, word},
};

/// Says how it stands.
pub(super) async fn check(session: &Session, repository: String) -> Result<Exit, Fault> {
    let what = format!("cannot check repository {repository}");
    let request = CheckRepositoryRequest {
        repository: repository.clone(),
    };
    let mut service = session.client.repositories();
    let answer = service.check_repository(session.client.ask(request)).await;
    let mut findings = answer.or_say(what)?.findings;
    with_run(session, repository, &mut findings).await?;
    let answer = CheckRepositoryResponse { findings };
    told(session, &answer, &answer.findings)
}

/// Mends, and says how it stands then.
pub(super) async fn mend(session: &Session, repository: String) -> Result<Exit, Fault> {
    let what = format!("cannot mend repository {repository}");
    let request = MendRepositoryRequest {
        request_id: request_id(),
        repository: repository.clone(),
    };
    let mut service = session.client.repositories();
    let answer = service.mend_repository(session.client.ask(request)).await;
    let mut findings = answer.or_say(what)?.findings;
    with_run(session, repository, &mut findings).await?;
    let answer = MendRepositoryResponse { findings };
    told(session, &answer, &answer.findings)
}

/// The last run, which the runs service knows: before the rate limit, which depends on nothing.
async fn with_run(
    session: &Session,
    repository: String,
    findings: &mut Vec<Finding>,
) -> Result<(), Fault> {
    let repository = super::get(session, repository).await?;
    let request = ListRunsRequest {
        repository_id: repository.id,
        project_id: repository.project_id,
        page_size: 1,
        ..Default::default()
    };
    let mut service = session.client.runs();
    let answer = service.list_runs(session.client.ask(request)).await;
    let runs = answer.or_say("cannot list the repository's runs")?.runs;
    let (standing, message, remedy) = match runs.first() {
        None => (
            Standing::Unknown,
            "none was made yet".to_owned(),
            String::new(),
        ),
        Some(run) => {
            let age = age(run.create_time.as_ref());
            let state = word(run.state().as_str_name(), "RUN_STATE_");
            let message = format!("the last one, {age} ago, is {state}");
            let failed = run.state() == RunState::Failed;
            let remedy = if failed {
                format!("ck8s run explain {}", run.id)
            } else {
                String::new()
            };
            // A run that failed may be just what it should say: nothing is wrong with the repository.
            (Standing::Ok, message, remedy)
        }
    };
    let finding = Finding {
        subject: "run".to_owned(),
        standing: standing.into(),
        message,
        remedy,
    };
    let place = findings.iter().position(|f| f.subject == "rate_limit");
    findings.insert(place.unwrap_or(findings.len()), finding);
    Ok(())
}

fn told<M: Named>(session: &Session, answer: &M, findings: &[Finding]) -> Result<Exit, Fault> {
    session.format.one(answer, || {
        let lines: Vec<String> = findings.iter().map(line).collect();
        lines.join("\n")
    })?;
    let wrong = findings.iter().any(|f| f.standing() == Standing::Wrong);
    Ok(if wrong { Exit::Failed } else { Exit::Done })
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
