//! `ck8s delivery send`: signs a payload, posts it as GitHub does, and reports what the server makes of it.
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;
use uuid::Uuid;

use super::{
    outcome::{self, wait_until_handled},
    payload::Payload,
    repository::choose_repository,
    webhook::{WebhookRequest, WebhookResponse},
};
use crate::{
    args::key_value,
    connection::Connection,
    error::{CliError, ExitStatus},
    json::MessageJson,
    options::GlobalOptions,
    output::{self, Format},
    target::{Credential, Target},
    text::one_line,
};

/// How long the command waits until the delivery is handled; that takes milliseconds unless the server is busy.
const HANDLED_TIMEOUT: Duration = Duration::from_secs(5);
/// The same with `--wait`, where the caller wants the result.
const HANDLED_TIMEOUT_WITH_WAIT: Duration = Duration::from_secs(60);

/// The arguments of `ck8s delivery send`.
#[derive(Args, Clone, Debug)]
pub struct Send {
    /// The event, as GitHub names it: issues, push, issue_comment, ...
    #[arg(long)]
    pub event: String,
    /// The payload (-: standard input). Of a collection such as index.json of @octokit/webhooks-examples, FILE#N or
    /// FILE#ACTION is one of the event's examples.
    #[arg(long, value_name = "FILE")]
    pub payload: String,
    /// The webhook secret; without it, the one of `ck8s up`'s demo repository.
    #[arg(long, env = "CK8S_WEBHOOK_SECRET", hide_env_values = true, value_parser = secret)]
    pub secret: Option<SecretString>,
    /// The delivery's id; without it, a random one.
    #[arg(long, value_name = "ID")]
    pub delivery: Option<String>,
    /// Send it as this repository's (id or owner/name), whatever the payload says.
    #[arg(long)]
    pub repository: Option<String>,
    /// Set a value of the payload by its dotted path, as JSON or else as text; may be given again.
    #[arg(long, value_name = "PATH=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Wait until its runs have ended: 0 if they succeeded, else 1.
    #[arg(long)]
    pub wait: bool,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// The server's response, and the outcome of the delivery: one object.
#[derive(Serialize)]
struct Report {
    status: u16,
    code: String,
    message: String,
    delivery_id: String,
    delivery: Option<MessageJson>,
    /// The first of `runs`.
    run: Option<MessageJson>,
    runs: Vec<MessageJson>,
}

impl Report {
    fn new(response: WebhookResponse, sent_as: String) -> Self {
        Self {
            status: response.status,
            code: response.code,
            message: response.message,
            delivery_id: if response.delivery_id.is_empty() {
                sent_as
            } else {
                response.delivery_id
            },
            delivery: None,
            run: None,
            runs: Vec::new(),
        }
    }

    fn line(&self) -> String {
        format!(
            "{} {}: {} (delivery {})",
            self.status,
            self.code,
            one_line(&self.message),
            self.delivery_id
        )
    }
}

pub(super) async fn run(args: Send, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let mut payload = Payload::read(&args.payload, &args.event)?;
    for (path, value) in &args.set {
        payload.set(path, value)?;
    }
    let target = options.target()?;
    let connection = match target.credential {
        Credential::None => None,
        Credential::Token(_) | Credential::Session(..) => {
            Some(Connection::connect(&target, options.output).await?)
        }
    };
    let repository = args.repository.as_deref();
    choose_repository(&mut payload, repository, &target, connection.as_ref()).await?;
    let mut report = post(&args, payload, &target).await?;
    if options.output == Format::Table {
        output::print(&report.line())?;
    }
    let status = report.status;
    let mut exit_status = exit_status(status);
    if let (ExitStatus::Success, Some(connection)) = (exit_status, &connection) {
        exit_status = report_outcome(connection, args.wait, &mut report).await?;
    }
    if options.output != Format::Table {
        options.output.print_value(&report)?;
    }
    if !(200..300).contains(&status) {
        let what = format!("cannot deliver {}", report.delivery_id);
        let why = format!("the server answered {status} {}", report.code);
        return Err(CliError::new(exit_status, what, why, status_hint(status)));
    }
    Ok(exit_status)
}

/// Signs the payload and posts it.
async fn post(args: &Send, payload: Payload, target: &Target) -> Result<Report, CliError> {
    let delivery_id = match &args.delivery {
        Some(id) => id.clone(),
        None => Uuid::new_v4().to_string(),
    };
    let request = WebhookRequest {
        event: &args.event,
        delivery_id: &delivery_id,
        secret: &webhook_secret(args, target)?,
        payload,
    };
    let response = request.post(&target.url).await?;
    Ok(Report::new(response, delivery_id))
}

/// Waits until the delivery is handled, and with `--wait` until its runs have ended; adds both to the report.
async fn report_outcome(
    connection: &Connection,
    wait: bool,
    report: &mut Report,
) -> Result<ExitStatus, CliError> {
    let timeout = if wait {
        HANDLED_TIMEOUT_WITH_WAIT
    } else {
        HANDLED_TIMEOUT
    };
    let delivery = wait_until_handled(connection, &report.delivery_id, timeout).await?;
    let outcome = outcome::follow(connection, &delivery, wait).await?;
    report.delivery = Some(MessageJson::new(&delivery));
    report.run = outcome.runs.first().map(MessageJson::new);
    report.runs = outcome.runs.iter().map(MessageJson::new).collect();
    Ok(outcome.exit_status)
}

/// Returns the secret that signs the delivery: the given one, else the demo repository's.
fn webhook_secret(args: &Send, target: &Target) -> Result<SecretString, CliError> {
    let demo = || target.ready.as_ref()?.webhook_secret.clone();
    args.secret.clone().or_else(demo).ok_or_else(|| {
        CliError::usage(
            "cannot sign the delivery",
            "no webhook secret is known",
            "give --secret or set CK8S_WEBHOOK_SECRET",
        )
    })
}

/// Returns what helps against an HTTP status.
fn status_hint(status: u16) -> &'static str {
    match status {
        401 => "give that repository's webhook secret with --secret or CK8S_WEBHOOK_SECRET",
        404 => "name a server of ck8s with --url or CK8S_URL",
        413 => "GitHub itself sends at most 25 MB",
        429 | 502..=504 => "send it again later with the same --delivery: it counts once",
        _ => "look at the payload and the event",
    }
}

/// Returns the exit status for an HTTP status.
fn exit_status(status: u16) -> ExitStatus {
    match status {
        200..300 => ExitStatus::Success,
        401 | 403 => ExitStatus::NotAllowed,
        404 => ExitStatus::NotFound,
        429 | 502..=504 => ExitStatus::Unavailable,
        _ => ExitStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_status_has_its_exit_status() {
        let done = [200, 202].map(|status| (status, ExitStatus::Success));
        let failed = [400, 413, 415, 500].map(|status| (status, ExitStatus::Failed));
        let unavailable = [429, 503].map(|status| (status, ExitStatus::Unavailable));
        let others = [(401, ExitStatus::NotAllowed), (404, ExitStatus::NotFound)];
        for (status, expected) in done
            .into_iter()
            .chain(failed)
            .chain(unavailable)
            .chain(others)
        {
            assert_eq!(exit_status(status), expected, "{status}");
        }
    }
}
