//! `ck8s run list`.
use ck8s_proto::runs::v1::{ListRunsRequest, RunState};
use clap::{Args, ValueEnum};

use super::show;
use crate::{
    client::collect_pages,
    commands::list_filter::ListFilter,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    table::{TextTable, age, elapsed},
};

/// The width of a title in the table, so that a row fits a wide terminal.
const MAX_TITLE_CHARS: usize = 40;

/// The filter of a list.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Whose, and how many.
    #[command(flatten)]
    pub filter: ListFilter,
    /// Only in this state; may be given again.
    #[arg(long, value_enum)]
    pub state: Vec<State>,
}

/// The state of a run.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for a slot or a worker.
    Pending,
    /// It runs.
    Running,
    /// It did its work.
    Succeeded,
    /// It did not do its work.
    Failed,
    /// Somebody ended it.
    Canceled,
}

impl From<State> for RunState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Canceled => Self::Canceled,
        }
    }
}

pub(super) async fn run(connection: &Connection, args: List) -> Result<(), CliError> {
    let ids = args.filter.ids(&connection.client).await?;
    let states: Vec<i32> = args
        .state
        .iter()
        .map(|state| RunState::from(*state).into())
        .collect();
    let mut service = connection.client.runs();
    let runs = collect_pages(args.filter.limit.limit, async |page_size, page_token| {
        let request = ListRunsRequest {
            project_id: ids.project_id.clone(),
            repository_id: ids.repository_id.clone(),
            states: states.clone(),
            page_size,
            page_token,
        };
        let response = service
            .list_runs(connection.client.request(request))
            .await
            .context("cannot list runs")?;
        Ok((response.runs, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&runs, || {
        let mut rows = TextTable::new(&[
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
                show::state(r),
                show::reason(r),
                r.repository_name.clone(),
                trigger.name,
                shorten(&trigger.title),
                age(r.create_time.as_ref()),
                elapsed(r.start_time.as_ref(), r.finish_time.as_ref()),
            ]);
        }
        rows
    })
}

/// Shortens a title: titles come from outside and can be long.
fn shorten(title: &str) -> String {
    if title.chars().count() <= MAX_TITLE_CHARS {
        return title.to_owned();
    }
    title
        .chars()
        .take(MAX_TITLE_CHARS - 1)
        .chain(['…'])
        .collect()
}
