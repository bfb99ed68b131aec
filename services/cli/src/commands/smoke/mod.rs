//! `ck8s smoke`: whether a running environment does what it is for, seen from outside, by a client alone. Each check is a sentence.
mod page;
mod place;
mod report;
mod run;
mod stranger;
mod webhook;

use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::{page::Pages, place::Place, report::Report};
use super::token;
use crate::{
    Global,
    args::duration,
    fault::{Exit, Fault},
    session::Session,
};

/// What the environment is like.
#[derive(Args, Clone, Debug)]
pub struct Smoke {
    /// The image of the run, with `echo` in it; an environment with the process executor needs none.
    #[arg(long)]
    pub image: Option<String>,
    /// A label that the run's worker must have; may be given again.
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// The revision that must be running; without it, any.
    #[arg(long)]
    pub revision: Option<String>,
    /// How long the run may take from the delivery to its end.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3m")]
    pub timeout: Duration,
}

/// 0 if every check is well, else 1.
pub(crate) async fn run(args: Smoke, global: &Global) -> Result<Exit, Fault> {
    let target = global.target()?;
    let mut report = Report::new(&target.url, global.output);
    let pages = Pages::of(&target.url)?;
    report.check("health", pages.health()).await;
    report.check("ready", pages.ready()).await;
    report
        .check("version", pages.version(args.revision.as_deref()))
        .await;
    report.check("page", pages.console()).await;
    report.check("stranger", stranger::refused(&target)).await;

    let mut session = None;
    report
        .check("admin", async {
            let opened = Session::connect(&target, global.output).await?;
            let whom = token::admin(&opened).await?;
            session = Some(opened);
            Ok(whom)
        })
        .await;
    match &session {
        Some(session) => live(session, &args, &mut report).await?,
        None => report.skip_from("repository"),
    }
    report.end()
}

/// The checks that leave something behind, and its removal, whatever happened in between.
async fn live(session: &Session, args: &Smoke, report: &mut Report) -> Result<(), Fault> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut place = Place::new(args);
    tokio::select! {
        () = events(session, args, &mut place, report) => {}
        _ = interrupt.recv() => report.interrupted(),
        _ = terminate.recv() => report.interrupted(),
    }
    report.check("removal", place.remove(session)).await;
    Ok(())
}

async fn events(session: &Session, args: &Smoke, place: &mut Place, report: &mut Report) {
    if !report.check("repository", place.make(session)).await {
        return report.skip_from("bad_signature");
    }
    report
        .check("bad_signature", webhook::bad_signature(session, place))
        .await;
    let sent = webhook::Sent::new(place);
    place.delivery.clone_from(&sent.delivery);
    if !report
        .check("delivery", sent.accepted(session, place))
        .await
    {
        return report.skip_from("duplicate");
    }
    report
        .check("duplicate", sent.duplicate(session, place))
        .await;
    let ended = run::ended(session, &sent, place, args.timeout);
    let ended = report.check("run", ended).await;
    if place.run.is_empty() {
        return report.skip_from("log");
    }
    if ended {
        report.check("log", run::log(session, &place.run)).await;
    } else {
        report.skip("log");
    }
    report
        .check("slot", run::slot_is_free(session, &place.run))
        .await;
}
