//! `ck8s delivery list`.
use ck8s_proto::ingress::v1::{DeliveryState, ListDeliveriesRequest};
use clap::{Args, ValueEnum};

use super::show;
use crate::{
    client::collect_pages,
    commands::list_filter::ListFilter,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    table::{TextTable, age},
};

/// The filter of a list.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Whose, and how many.
    #[command(flatten)]
    pub filter: ListFilter,
    /// Only in this state.
    #[arg(long, value_enum)]
    pub state: Option<State>,
}

/// The state of a delivery.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not handled yet.
    Received,
    /// It made a run.
    RunCreated,
    /// It made no run.
    Ignored,
    /// It could not be handled.
    Failed,
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Received => Self::Received,
            State::RunCreated => Self::RunCreated,
            State::Ignored => Self::Ignored,
            State::Failed => Self::Failed,
        }
    }
}

pub(super) async fn run(connection: &Connection, args: List) -> Result<(), CliError> {
    let ids = args.filter.ids(&connection.client).await?;
    let state = args
        .state
        .map_or(DeliveryState::Unspecified, DeliveryState::from);
    let mut service = connection.client.ingress();
    let deliveries = collect_pages(args.filter.limit.limit, async |page_size, page_token| {
        let request = ListDeliveriesRequest {
            project_id: ids.project_id.clone(),
            repository_id: ids.repository_id.clone(),
            state: state.into(),
            page_size,
            page_token,
        };
        let response = service
            .list_deliveries(connection.client.request(request))
            .await;
        let response = response.context("cannot list deliveries")?;
        Ok((response.deliveries, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&deliveries, || {
        let mut rows = TextTable::new(&[
            "DELIVERY",
            "EVENT",
            "STATE",
            "RUN OR REASON",
            "SENDER",
            "AGE",
        ]);
        for d in &deliveries {
            let event = [d.event.as_str(), d.action.as_str()]
                .into_iter()
                .filter(|s| !s.is_empty());
            rows.row([
                d.delivery_id.clone(),
                event.collect::<Vec<_>>().join("."),
                show::state(d),
                match show::runs(d) {
                    [] => d.reason.clone(),
                    [run] => run.clone(),
                    [run, more @ ..] => format!("{run} +{}", more.len()),
                },
                d.sender.clone(),
                age(d.receive_time.as_ref()),
            ]);
        }
        rows
    })
}
