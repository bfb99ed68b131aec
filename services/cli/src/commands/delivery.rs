//! `ck8s delivery`.
use ck8s_proto::ingress::v1::{
    Delivery, DeliveryState, GetDeliveryRequest, ListDeliveriesRequest, ReplayDeliveryRequest,
};
use clap::{Args, Subcommand, ValueEnum};

use super::send;
use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    output,
    session::Session,
    table::{Rows, age, facts, moment, word},
};

/// What can be done with deliveries.
#[derive(Subcommand, Clone, Debug)]
pub enum DeliveryVerb {
    /// Lists deliveries, newest first.
    #[command(after_help = "Example:\n  ck8s delivery list --state failed")]
    List(List),
    /// Shows one delivery.
    #[command(
        after_help = "Example:\n  ck8s delivery get 72d3162e-cc78-11e3-81ab-4c9367dc0958 --payload > payload.json"
    )]
    Get {
        /// Our id, or the provider's.
        delivery: String,
        /// Only the payload, as it came.
        #[arg(long)]
        payload: bool,
    },
    /// Handles a delivery again that failed or was ignored; one that made a run makes no second.
    #[command(after_help = "Example:\n  ck8s delivery replay 72d3162e-cc78-11e3-81ab-4c9367dc0958")]
    Replay {
        /// Our id, or the provider's.
        delivery: String,
    },
    /// Signs a payload and posts it as GitHub does.
    #[command(
        after_help = "Examples:\n  ck8s delivery send --event issues --payload labeled.json --set label.name=run:dev --wait\n  ck8s delivery send --event push --payload node_modules/@octokit/webhooks-examples/api.github.com/index.json#2"
    )]
    Send(Box<send::Send>),
}

/// Which deliveries.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// The project's id or slug; without it, all.
    #[arg(long)]
    pub project: Option<String>,
    /// The repository's id or owner/name; without it, all.
    #[arg(long)]
    pub repo: Option<String>,
    /// Only in this state.
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// What became of a delivery.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not handled yet.
    Received,
    /// It made a run.
    RunCreated,
    /// It made none.
    Ignored,
    /// Handling it failed.
    Failed,
}

pub(crate) async fn run(verb: DeliveryVerb, global: &Global) -> Result<Exit, Fault> {
    let verb = match verb {
        DeliveryVerb::Send(args) => return send::run(*args, global).await,
        other => other,
    };
    let session = Session::open(global).await?;
    let (mut service, client) = (session.client.ingress(), &session.client);
    match verb {
        DeliveryVerb::List(args) => list(&session, args).await?,
        DeliveryVerb::Get { delivery, payload } => {
            let what = format!("cannot get delivery {delivery}");
            let answer = service
                .get_delivery(client.ask(GetDeliveryRequest { delivery }))
                .await
                .or_say(what)?;
            if payload {
                output::raw(&answer.payload)?;
            } else {
                show(&session, &answer.delivery.unwrap_or_default())?;
            }
        }
        DeliveryVerb::Replay { delivery } => {
            let what = format!("cannot replay delivery {delivery}");
            let request = ReplayDeliveryRequest {
                request_id: request_id(),
                delivery,
            };
            let answer = service
                .replay_delivery(client.ask(request))
                .await
                .or_say(what)?;
            show(&session, &answer.delivery.unwrap_or_default())?;
        }
        DeliveryVerb::Send(_) => {}
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, args: List) -> Result<(), Fault> {
    let project_id = session.client.project_id(args.project.as_deref()).await?;
    let repository_id = session.client.repository_id(args.repo.as_deref()).await?;
    let only = match args.state {
        None => DeliveryState::Unspecified,
        Some(State::Received) => DeliveryState::Received,
        Some(State::RunCreated) => DeliveryState::RunCreated,
        Some(State::Ignored) => DeliveryState::Ignored,
        Some(State::Failed) => DeliveryState::Failed,
    };
    let mut service = session.client.ingress();
    let deliveries = pages(args.limit.limit, async |page_size, page_token| {
        let request = ListDeliveriesRequest {
            project_id: project_id.clone(),
            repository_id: repository_id.clone(),
            state: only.into(),
            page_size,
            page_token,
        };
        let answer = service.list_deliveries(session.client.ask(request)).await;
        let answer = answer.or_say("cannot list deliveries")?;
        Ok((answer.deliveries, answer.next_page_token))
    })
    .await?;
    session.format.many(&deliveries, || {
        let mut rows = Rows::new(&[
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
                state(d),
                if d.run_id.is_empty() {
                    d.reason.clone()
                } else {
                    d.run_id.clone()
                },
                d.sender.clone(),
                age(d.receive_time.as_ref()),
            ]);
        }
        rows
    })
}

fn state(delivery: &Delivery) -> String {
    word(delivery.state().as_str_name(), "DELIVERY_STATE")
}

fn show(session: &Session, delivery: &Delivery) -> Result<(), Fault> {
    let d = delivery;
    session.format.one(d, || {
        facts(&[
            ("Delivery", d.delivery_id.clone()),
            ("Id", d.id.clone()),
            ("Event", d.event.clone()),
            ("Action", d.action.clone()),
            ("State", state(d)),
            ("Reason", d.reason.clone()),
            ("Run", d.run_id.clone()),
            ("Repository", d.repository_id.clone()),
            ("Project", d.project_id.clone()),
            ("Sender", d.sender.clone()),
            ("Size", format!("{} bytes", d.size_bytes)),
            ("Received", moment(d.receive_time.as_ref())),
            ("Handled", moment(d.handle_time.as_ref())),
        ])
    })
}
