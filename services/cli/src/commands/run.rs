//! `ck8s run`.
use ck8s_proto::runs::v1::{
    CancelRunRequest, GetRunRequest, ListFlowEventsRequest, ListRunsRequest, RetryRunRequest, Run,
    RunState,
};
use clap::{Args, Subcommand, ValueEnum};

use super::{explain, logs, start, watch};
use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, facts, moment, took, word},
};

/// What can be done with runs.
#[derive(Subcommand, Clone, Debug)]
pub enum RunVerb {
    /// Lists runs, newest first.
    #[command(after_help = "Example:\n  ck8s run list --project shop --state running")]
    List(List),
    /// Shows one run.
    #[command(after_help = "Example:\n  ck8s run get 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a -o json")]
    Get {
        /// Its id.
        run: String,
    },
    /// Starts a run by hand: a trigger of a repository, or any command.
    #[command(
        after_help = "Examples:\n  ck8s run start --repo acme/shop --trigger build --watch\n  ck8s run start --project shop --image alpine:3 --timeout 10m -- echo hello"
    )]
    Start(Box<start::Start>),
    /// Shows what happens, live; with a run, until it ends: 0 if it succeeded, else 1.
    #[command(
        after_help = "Examples:\n  ck8s run watch 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a\n  ck8s run watch --project shop"
    )]
    Watch {
        /// The run's id; without it, all runs.
        #[arg(conflicts_with = "project")]
        run: Option<String>,
        /// All runs of the project (id or slug).
        #[arg(long)]
        project: Option<String>,
    },
    /// Writes a run's log to standard output.
    #[command(after_help = "Example:\n  ck8s run logs -f 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Logs(logs::Logs),
    /// Ends a run.
    #[command(
        after_help = "Example:\n  ck8s run cancel 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a --message mistaken"
    )]
    Cancel {
        /// Its id.
        run: String,
        /// Why.
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Starts a new run with the spec of one that has ended.
    #[command(
        after_help = "Example:\n  ck8s run retry 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a --watch"
    )]
    Retry {
        /// Its id.
        run: String,
        /// Watch the new run until it ends: 0 if it succeeded, else 1.
        #[arg(long)]
        watch: bool,
    },
    /// Lists what happened to a run, oldest first.
    #[command(after_help = "Example:\n  ck8s run events 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Events {
        /// Its id.
        run: String,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Says why a run waits, or why it ended as it did.
    #[command(after_help = "Example:\n  ck8s run explain 019ab6d4-7c1e-7d32-8a54-0f5e1d2c3b4a")]
    Explain {
        /// Its id.
        run: String,
    },
}

/// Which runs.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// The project's id or slug; without it, all.
    #[arg(long)]
    pub project: Option<String>,
    /// The repository's id or owner/name; without it, all.
    #[arg(long)]
    pub repo: Option<String>,
    /// Only in this state; may be given again.
    #[arg(long, value_enum)]
    pub state: Vec<State>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// Where a run stands.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits.
    Pending,
    /// Runs.
    Running,
    /// Did what it was asked.
    Succeeded,
    /// Did not.
    Failed,
    /// Was ended.
    Canceled,
}

pub(crate) async fn run(verb: RunVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let (mut runs, client) = (session.client.runs(), &session.client);
    match verb {
        RunVerb::List(args) => list(&session, args).await?,
        RunVerb::Get { run } => {
            let what = format!("cannot get run {run}");
            let answer = runs
                .get_run(client.ask(GetRunRequest { run_id: run }))
                .await
                .or_say(what)?;
            show(&session, &answer.run.unwrap_or_default())?;
        }
        RunVerb::Start(args) => return start::run(&session, *args).await,
        RunVerb::Watch { run: Some(run), .. } => return watch::one(&session, &run).await,
        RunVerb::Watch { project, .. } => return watch::all(&session, project.as_deref()).await,
        RunVerb::Logs(args) => logs::run(&session, args).await?,
        RunVerb::Cancel { run, message } => {
            let what = format!("cannot cancel run {run}");
            let message = message.unwrap_or_default();
            let request = CancelRunRequest {
                request_id: request_id(),
                run_id: run,
                message,
            };
            let answer = runs.cancel_run(client.ask(request)).await.or_say(what)?;
            show(&session, &answer.run.unwrap_or_default())?;
        }
        RunVerb::Retry { run, watch } => {
            let what = format!("cannot retry run {run}");
            let request = RetryRunRequest {
                request_id: request_id(),
                run_id: run,
            };
            let answer = runs.retry_run(client.ask(request)).await.or_say(what)?;
            return started(&session, answer.run.unwrap_or_default(), watch).await;
        }
        RunVerb::Events { run, limit } => events(&session, &run, limit).await?,
        RunVerb::Explain { run } => explain::run(&session, run).await?,
    }
    Ok(Exit::Done)
}

/// Shows a run that was started now, or watches it to its end.
pub(super) async fn started(session: &Session, run: Run, watch: bool) -> Result<Exit, Fault> {
    if watch {
        return watch::started(session, &run.id).await;
    }
    show(session, &run)?;
    Ok(Exit::Done)
}

async fn list(session: &Session, args: List) -> Result<(), Fault> {
    let project_id = session.client.project_id(args.project.as_deref()).await?;
    let repository_id = session.client.repository_id(args.repo.as_deref()).await?;
    let states = args.state.iter().map(|state| match state {
        State::Pending => RunState::Pending,
        State::Running => RunState::Running,
        State::Succeeded => RunState::Succeeded,
        State::Failed => RunState::Failed,
        State::Canceled => RunState::Canceled,
    });
    let states: Vec<i32> = states.map(i32::from).collect();
    let mut service = session.client.runs();
    let runs = pages(args.limit.limit, async |page_size, page_token| {
        let request = ListRunsRequest {
            project_id: project_id.clone(),
            repository_id: repository_id.clone(),
            states: states.clone(),
            page_size,
            page_token,
        };
        let answer = service
            .list_runs(session.client.ask(request))
            .await
            .or_say("cannot list runs")?;
        Ok((answer.runs, answer.next_page_token))
    })
    .await?;
    session.format.many(&runs, || {
        let mut rows = Rows::new(&[
            "ID",
            "STATE",
            "REASON",
            "REPOSITORY",
            "TRIGGER",
            "TITLE",
            "AGE",
            "TOOK",
        ]);
        for r in &runs {
            let trigger = r.trigger.clone().unwrap_or_default();
            rows.row([
                r.id.clone(),
                state(r),
                reason(r),
                r.repository_name.clone(),
                trigger.name,
                shortened(&trigger.title),
                age(r.create_time.as_ref()),
                took(r.start_time.as_ref(), r.finish_time.as_ref()),
            ]);
        }
        rows
    })
}

async fn events(session: &Session, run: &str, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.runs();
    let events = pages(limit.limit, async |page_size, page_token| {
        let request = ListFlowEventsRequest {
            run_id: run.to_owned(),
            page_size,
            page_token,
        };
        let answer = service.list_flow_events(session.client.ask(request)).await;
        let answer = answer.or_say(format!("cannot list the events of run {run}"))?;
        Ok((answer.events, answer.next_page_token))
    })
    .await?;
    session.format.many(&events, || {
        let mut rows = Rows::new(&["TIME", "KIND", "ACTOR", "MESSAGE"]);
        for e in &events {
            rows.row([
                moment(e.time.as_ref()),
                e.kind.clone(),
                e.actor.clone(),
                e.message.clone(),
            ]);
        }
        rows
    })
}

fn show(session: &Session, run: &Run) -> Result<(), Fault> {
    session.format.one(run, || about(run))
}

/// A run in words.
pub(super) fn about(run: &Run) -> String {
    let trigger = run.trigger.clone().unwrap_or_default();
    let spec = run.spec.clone().unwrap_or_default();
    let ended = [reason(run), run.message.clone()]
        .into_iter()
        .filter(|s| !s.is_empty());
    let some = |number: i32| {
        if number == 0 {
            String::new()
        } else {
            number.to_string()
        }
    };
    facts(&[
        ("Id", run.id.clone()),
        ("State", state(run)),
        ("Reason", ended.collect::<Vec<_>>().join(": ")),
        ("Repository", run.repository_name.clone()),
        ("Project", run.project_id.clone()),
        ("Trigger", trigger.name),
        ("Title", trigger.title),
        ("Actor", trigger.actor),
        ("Page", trigger.url),
        ("Image", spec.image),
        ("Command", spec.command.join(" ")),
        ("Attempt", run.attempt.to_string()),
        ("Slot", some(run.slot)),
        ("Worker", run.worker_id.clone()),
        ("Workload", run.workload.clone()),
        (
            "Exit code",
            run.exit_code.map(|c| c.to_string()).unwrap_or_default(),
        ),
        ("Created", moment(run.create_time.as_ref())),
        ("Started", moment(run.start_time.as_ref())),
        ("Finished", moment(run.finish_time.as_ref())),
        (
            "Took",
            took(run.start_time.as_ref(), run.finish_time.as_ref()),
        ),
        ("Delivery", run.delivery_id.clone()),
        ("Retry of", run.retry_of.clone()),
    ])
}

/// A run's state in a word.
pub(super) fn state(run: &Run) -> String {
    word(run.state().as_str_name(), "RUN_STATE")
}

/// Why it ended so; empty while it has not.
pub(super) fn reason(run: &Run) -> String {
    word(run.reason().as_str_name(), "RUN_REASON")
}

/// Titles come from outside and can be long.
fn shortened(title: &str) -> String {
    const LONGEST: usize = 40;
    if title.chars().count() <= LONGEST {
        return title.to_owned();
    }
    title.chars().take(LONGEST - 1).chain(['…']).collect()
}
