//! `ck8s slot`: the verbs about slots.
use ck8s_proto::runs::v1::{ListSlotsRequest, ReleaseSlotRequest, SetSlotsRequest};
use clap::Subcommand;

use crate::{
    GlobalOptions,
    args::Limit,
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{TextTable, age, enum_label, timestamp},
};

/// The verbs about slots.
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
    /// Sets how many runs a project may have at once; runs that hold a slot continue.
    #[command(after_help = "Example:\n  ck8s slot set shop 8")]
    Set {
        /// The project's id or slug.
        project: String,
        /// 0 to 10,000; 0 stops new runs of the project.
        #[arg(value_parser = clap::value_parser!(i32).range(0..=10_000))]
        slots: i32,
    },
    /// Frees a slot that no worker gives back: of a run that has ended, or whose worker is lost.
    ///
    /// Without --force it refuses while the workload may still be there: look for it first, in a cluster with `kubectl
    /// get jobs -A -l ck8s.io/run-id=RUN`. A run that had not ended fails with `worker_lost`.
    #[command(after_help = "Example:\n  ck8s slot release shop 3 --force")]
    Release {
        /// The project's id or slug.
        project: String,
        /// The slot's number; `slot list` names it.
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        number: i32,
        /// Also where the workload is not known to be gone.
        #[arg(long)]
        force: bool,
    },
}

pub(crate) async fn run(verb: SlotVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    match verb {
        SlotVerb::List { project, limit } => {
            list(&connection, project.unwrap_or_default(), limit).await?;
        }
        SlotVerb::Set { project, slots } => set(&connection, project, slots).await?,
        SlotVerb::Release {
            project,
            number,
            force,
        } => {
            let request = ReleaseSlotRequest {
                request_id: request_id(),
                project,
                number,
                force,
            };
            release(&connection, request).await?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn set(connection: &Connection, project: String, slots: i32) -> Result<(), CliError> {
    let what = format!("cannot set the slots of project {project}");
    let request = SetSlotsRequest {
        request_id: request_id(),
        project: project.clone(),
        slots,
    };
    let response = connection
        .client
        .runs()
        .set_slots(connection.client.request(request))
        .await
        .context(what)?;
    connection.format.print_one(&response, || {
        format!("project {project} has {} slots", response.slots)
    })
}

async fn release(connection: &Connection, request: ReleaseSlotRequest) -> Result<(), CliError> {
    let slot = format!("slot {} of project {}", request.number, request.project);
    let response = connection
        .client
        .runs()
        .release_slot(connection.client.request(request))
        .await
        .context(format!("cannot free {slot}"))?;
    connection.format.print_one(&response, || {
        let run = response.run.clone().unwrap_or_default();
        let state = enum_label(run.state().as_str_name(), "RUN_STATE");
        let reason = enum_label(run.reason().as_str_name(), "RUN_REASON");
        format!("{slot} is free; run {} held it: {state} ({reason})", run.id)
    })
}

async fn list(connection: &Connection, project: String, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.runs();
    let slots = collect_pages(limit.limit, async |page_size, page_token| {
        let request = ListSlotsRequest {
            project: project.clone(),
            page_size,
            page_token,
        };
        let response = service
            .list_slots(connection.client.request(request))
            .await
            .context("cannot list slots")?;
        Ok((response.slots, response.next_page_token))
    })
    .await?;
    let slugs = connection.client.project_slugs().await;
    connection.format.print_many(&slots, || {
        let mut rows = TextTable::new(&[
            "PROJECT", "SLOT", "STATE", "RUN", "WORKER", "EPOCH", "HELD", "UNTIL",
        ]);
        for s in &slots {
            rows.row([
                slugs.get(&s.project_id).to_owned(),
                s.number.to_string(),
                enum_label(s.state().as_str_name(), "SLOT_STATE"),
                s.run_id.clone(),
                s.worker_id.clone(),
                if s.lease_epoch == 0 {
                    String::new()
                } else {
                    s.lease_epoch.to_string()
                },
                age(s.lease_time.as_ref()),
                timestamp(s.lease_until.as_ref()),
            ]);
        }
        rows
    })
}
