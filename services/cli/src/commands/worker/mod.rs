//! `ck8s worker list`, `drain` and `join`; `ck8s worker` without a verb runs a worker node, which is the binary's part.
pub(crate) mod join;

use ck8s_proto::runs::v1::{DrainWorkerRequest, ListWorkersRequest, Worker};
use ck8s_types::WorkerId;
use clap::Subcommand;

use crate::{
    GlobalOptions,
    args::Limit,
    client::{collect_pages, request_id},
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{TextTable, age, enum_label, key_values, timestamp},
};

/// The verbs about worker nodes.
#[derive(Subcommand, Clone, Debug)]
pub enum WorkerVerb {
    /// Lists workers.
    #[command(after_help = "Example:\n  ck8s worker list")]
    List {
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Tells a worker to take no more work; what it holds goes on.
    #[command(
        after_help = "Example:\n  ck8s worker drain node-1\n  ck8s worker drain node-1 --undo"
    )]
    Drain {
        /// Its id.
        worker: WorkerId,
        /// Take work again.
        #[arg(long)]
        undo: bool,
    },
    /// Gets a worker's first certificate for a join token, which works once; the worker renews it by itself.
    #[command(
        after_help = "Example:\n  CK8S_URL=https://ck8s.example ck8s worker join --token-file token --out /var/lib/ck8s/certs --id node-1"
    )]
    Join(join::JoinArgs),
}

pub(crate) async fn run(verb: WorkerVerb, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    match verb {
        WorkerVerb::Join(args) => join::run(args, options).await,
        WorkerVerb::List { limit } => {
            list(&Connection::open(options).await?, limit).await?;
            Ok(ExitStatus::Success)
        }
        WorkerVerb::Drain { worker, undo } => {
            drain(&Connection::open(options).await?, worker, undo).await?;
            Ok(ExitStatus::Success)
        }
    }
}

async fn drain(connection: &Connection, worker: WorkerId, undo: bool) -> Result<(), CliError> {
    let what = format!("cannot drain worker {worker}");
    let request = DrainWorkerRequest {
        request_id: request_id(),
        worker_id: worker.to_string(),
        undo,
    };
    let response = connection
        .client
        .runs()
        .drain_worker(connection.client.request(request))
        .await
        .context(what)?;
    let worker = response.worker.unwrap_or_default();
    connection.format.print_one(&worker, || describe(&worker))
}

async fn list(connection: &Connection, limit: Limit) -> Result<(), CliError> {
    let mut service = connection.client.runs();
    let workers = collect_pages(limit.limit, async |page_size, page_token| {
        let request = connection.client.request(ListWorkersRequest {
            page_size,
            page_token,
        });
        let response = service
            .list_workers(request)
            .await
            .context("cannot list workers")?;
        Ok((response.workers, response.next_page_token))
    })
    .await?;
    connection.format.print_many(&workers, || {
        let mut rows = TextTable::new(&[
            "ID", "STATE", "EXECUTOR", "LEASES", "LABELS", "SEEN", "VERSION",
        ]);
        for w in &workers {
            rows.row([
                w.id.clone(),
                state(w),
                w.executor.clone(),
                format!("{}/{}", w.leases, w.capacity),
                w.labels.join(","),
                age(w.seen_time.as_ref()),
                w.version.clone(),
            ]);
        }
        rows
    })
}

/// Returns the name of a worker's state.
fn state(worker: &Worker) -> String {
    enum_label(worker.state().as_str_name(), "WORKER_STATE")
}

/// Describes a worker, one field a line.
fn describe(worker: &Worker) -> String {
    key_values(&[
        ("Id", worker.id.clone()),
        ("State", state(worker)),
        ("Executor", worker.executor.clone()),
        (
            "Leases",
            format!("{} of {}", worker.leases, worker.capacity),
        ),
        ("Labels", worker.labels.join(", ")),
        ("Seen", timestamp(worker.seen_time.as_ref())),
        ("Version", worker.version.clone()),
    ])
}
