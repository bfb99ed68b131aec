//! `ck8s slot`.
use ck8s_proto::runs::v1::{ListSlotsRequest, SetSlotsRequest};
use clap::Subcommand;

use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, moment, word},
};

/// What can be done with slots.
#[derive(Subcommand, Clone, Debug)]
pub enum SlotVerb {
    /// Lists slots and who holds them.
    #[command(after_help = "Example:\n  ck8s slot list --project shop")]
    List {
        /// The project's id or slug; without it, all.
        #[arg(long)]
        project: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Sets how many runs a project may have at once; runs that hold a slot go on to their end.
    #[command(after_help = "Example:\n  ck8s slot set shop 8")]
    Set {
        /// The project's id or slug.
        project: String,
        /// 0 to 10,000; 0 stops new runs of the project.
        #[arg(value_parser = clap::value_parser!(i32).range(0..=10_000))]
        slots: i32,
    },
}

pub(crate) async fn run(verb: SlotVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    match verb {
        SlotVerb::List { project, limit } => {
            list(&session, project.unwrap_or_default(), limit).await?;
        }
        SlotVerb::Set { project, slots } => {
            let what = format!("cannot set the slots of project {project}");
            let request = SetSlotsRequest {
                request_id: request_id(),
                project: project.clone(),
                slots,
            };
            let answer = session
                .client
                .runs()
                .set_slots(session.client.ask(request))
                .await
                .or_say(what)?;
            session.format.one(&answer, || {
                format!("project {project} has {} slots", answer.slots)
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, project: String, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.runs();
    let slots = pages(limit.limit, async |page_size, page_token| {
        let request = ListSlotsRequest {
            project: project.clone(),
            page_size,
            page_token,
        };
        let answer = service
            .list_slots(session.client.ask(request))
            .await
            .or_say("cannot list slots")?;
        Ok((answer.slots, answer.next_page_token))
    })
    .await?;
    let slugs = session.client.slugs().await;
    session.format.many(&slots, || {
        let mut rows = Rows::new(&[
            "PROJECT", "SLOT", "STATE", "RUN", "WORKER", "EPOCH", "HELD", "UNTIL",
        ]);
        for s in &slots {
            rows.row([
                slugs.of(&s.project_id).to_owned(),
                s.number.to_string(),
                word(s.state().as_str_name(), "SLOT_STATE"),
                s.run_id.clone(),
                s.worker_id.clone(),
                if s.lease_epoch == 0 {
                    String::new()
                } else {
                    s.lease_epoch.to_string()
                },
                age(s.lease_time.as_ref()),
                moment(s.lease_until.as_ref()),
            ]);
        }
        rows
    })
}
