//! `ck8s smoke`: checks a running environment from outside, as a client. Each check reports one sentence.
mod anonymous_checks;
mod args;
mod fixture;
mod http_checks;
mod report;
mod run_checks;
mod webhook_checks;

use tokio::signal::unix::{SignalKind, signal};

pub use args::Smoke;

use self::{fixture::Fixture, http_checks::HttpChecks, report::Report};
use super::whoami;
use crate::{
    GlobalOptions,
    connection::Connection,
    error::{CliError, ExitStatus},
};

/// Makes every check; the exit status is 0 if all of them pass, else 1.
pub(crate) async fn run(args: Smoke, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let target = options.target()?;
    let mut report = Report::new(&target.url, options.output);
    let http = HttpChecks::new(&target.url)?;
    report.check("health", http.health()).await;
    report.check("ready", http.ready()).await;
    report
        .check("version", http.version(args.revision.as_deref()))
        .await;
    report.check("page", http.console()).await;
    report
        .check("stranger", anonymous_checks::refused(&target))
        .await;

    let mut connected = None;
    report
        .check("admin", async {
            let connection = Connection::connect(&target, options.output).await?;
            let caller = whoami::require_admin(&connection).await?;
            connected = Some(connection);
            Ok(caller)
        })
        .await;
    match &connected {
        Some(connection) => live_checks(connection, &args, &mut report).await?,
        None => report.skip_from("repository"),
    }
    report.finish()
}

/// Makes the checks that need a repository, and removes it whatever happens in between.
async fn live_checks(
    connection: &Connection,
    args: &Smoke,
    report: &mut Report,
) -> Result<(), CliError> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut fixture = Fixture::new(args);
    tokio::select! {
        () = webhook_and_run_checks(connection, args, &mut fixture, report) => {}
        _ = interrupt.recv() => report.interrupted(),
        _ = terminate.recv() => report.interrupted(),
    }
    report.check("removal", fixture.remove(connection)).await;
    Ok(())
}

/// Sends webhooks, and follows the run that one of them makes.
async fn webhook_and_run_checks(
    connection: &Connection,
    args: &Smoke,
    fixture: &mut Fixture,
    report: &mut Report,
) {
    if !report.check("repository", fixture.create(connection)).await {
        return report.skip_from("bad_signature");
    }
    report
        .check(
            "bad_signature",
            webhook_checks::bad_signature(connection, fixture),
        )
        .await;
    let sent = webhook_checks::SentWebhook::new(fixture);
    fixture.delivery.clone_from(&sent.delivery);
    if !report
        .check("delivery", sent.accepted(connection, fixture))
        .await
    {
        return report.skip_from("duplicate");
    }
    report
        .check("duplicate", sent.duplicate(connection, fixture))
        .await;
    let ended = run_checks::run_succeeds(connection, &sent, fixture, args.timeout);
    let ended = report.check("run", ended).await;
    if fixture.run.is_empty() {
        return report.skip_from("log");
    }
    if ended {
        report
            .check("log", run_checks::log_is_stored(connection, &fixture.run))
            .await;
    } else {
        report.skip("log");
    }
    report
        .check("slot", run_checks::slot_is_free(connection, &fixture.run))
        .await;
}
