//! `ck8s delivery`: the verbs about deliveries.
mod list;
mod outcome;
mod payload;
mod repository;
mod send;
mod show;
mod signature;
mod webhook;

pub(super) use outcome::wait_until_handled;
pub(super) use payload::Payload;
pub(super) use webhook::{WebhookRequest, http_client};

use ck8s_proto::ingress::v1::{GetDeliveryRequest, ReplayDeliveryRequest};
use clap::Subcommand;

use crate::{
    client::request_id,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    options::GlobalOptions,
    output::ForeignOutput,
};

/// The verbs about deliveries.
#[derive(Subcommand, Clone, Debug)]
pub enum DeliveryVerb {
    /// Lists deliveries, newest first.
    #[command(after_help = "Example:\n  ck8s delivery list --state failed")]
    List(list::List),
    /// Shows one delivery.
    #[command(
        after_help = "Example:\n  ck8s delivery get 72d3162e-cc78-11e3-81ab-4c9367dc0958 --payload > payload.json"
    )]
    Get {
        /// Its id, ck8s's or the provider's.
        delivery: String,
        /// Print only the payload, as it was received.
        #[arg(long)]
        payload: bool,
    },
    /// Handles a delivery again that failed or was ignored. A delivery that made a run does not make a second one.
    #[command(after_help = "Example:\n  ck8s delivery replay 72d3162e-cc78-11e3-81ab-4c9367dc0958")]
    Replay {
        /// Its id, ck8s's or the provider's.
        delivery: String,
    },
    /// Signs a payload and posts it as GitHub does.
    #[command(
        after_help = "Examples:\n  ck8s delivery send --event issues --payload labeled.json --set label.name=run:dev --wait\n  ck8s delivery send --event push --payload node_modules/@octokit/webhooks-examples/api.github.com/index.json#2"
    )]
    Send(Box<send::Send>),
}

pub(crate) async fn run(
    verb: DeliveryVerb,
    options: &GlobalOptions,
) -> Result<ExitStatus, CliError> {
    let verb = match verb {
        DeliveryVerb::Send(args) => return send::run(*args, options).await,
        other => other,
    };
    let connection = Connection::open(options).await?;
    let (mut service, client) = (connection.client.ingress(), &connection.client);
    match verb {
        DeliveryVerb::List(args) => list::run(&connection, args).await?,
        DeliveryVerb::Get { delivery, payload } => {
            let what = format!("cannot get delivery {delivery}");
            let response = service
                .get_delivery(client.request(GetDeliveryRequest { delivery }))
                .await
                .context(what)?;
            if payload {
                ForeignOutput::new().print(&response.payload)?;
            } else {
                show::print(&connection, &response.delivery.unwrap_or_default())?;
            }
        }
        DeliveryVerb::Replay { delivery } => {
            let what = format!("cannot replay delivery {delivery}");
            let request = ReplayDeliveryRequest {
                request_id: request_id(),
                delivery,
            };
            let response = service
                .replay_delivery(client.request(request))
                .await
                .context(what)?;
            show::print(&connection, &response.delivery.unwrap_or_default())?;
        }
        DeliveryVerb::Send(_) => {}
    }
    Ok(ExitStatus::Success)
}
