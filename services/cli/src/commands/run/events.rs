//! `ck8s run events`.
use ck8s_proto::runs::v1::ListFlowEventsRequest;

use crate::{
    args::Limit,
    client::collect_pages,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    table::{TextTable, timestamp},
};

pub(super) async fn run(connection: &Connection, run: &str, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.runs();
    let events = collect_pages(limit.limit, async |page_size, page_token| {
        let request = ListFlowEventsRequest {
            run_id: run.to_owned(),
            page_size,
            page_token,
        };
        let response = service
            .list_flow_events(connection.client.request(request))
            .await;
        let response = response.context(format!("cannot list the events of run {run}"))?;
        Ok((response.events, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&events, || {
        let mut rows = TextTable::new(&["TIME", "KIND", "ACTOR", "MESSAGE"]);
        for e in &events {
            rows.row([
                timestamp(e.time.as_ref()),
                e.kind.clone(),
                e.actor.clone(),
                e.message.clone(),
            ]);
        }
        rows
    })
}
