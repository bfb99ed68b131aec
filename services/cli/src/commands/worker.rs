//! `ck8s worker list|drain`; `ck8s worker` without a verb runs a node and is the binary's.
use std::path::PathBuf;

use ck8s_proto::runs::v1::{DrainWorkerRequest, ListWorkersRequest, Worker};
use clap::Subcommand;

use super::join;
use crate::{
    Global,
    args::Limit,
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, age, facts, moment, word},
};

/// What can be done with worker nodes.
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
        worker: String,
        /// Take work again.
        #[arg(long)]
        undo: bool,
    },
    /// Gets a worker's first certificate for a join token, which works once; the worker renews it by itself.
    #[command(
        after_help = "Example:\n  CK8S_URL=https://ck8s.example ck8s worker join --token-file token --out /var/lib/ck8s/certs --id node-1"
    )]
    Join(JoinArgs),
}

/// Arguments of `ck8s worker join`. The token comes by --token-file or CK8S_TOKEN.
#[derive(clap::Args, Clone, Debug)]
pub struct JoinArgs {
    /// Where the key and the certificate go: tls.key, tls.crt, ca.crt.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The worker's id; without it, the machine's name.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

pub(crate) async fn run(verb: WorkerVerb, global: &Global) -> Result<Exit, Fault> {
    if let WorkerVerb::Join(args) = verb {
        return join::run(args, global).await;
    }
    let session = Session::open(global).await?;
    match verb {
        WorkerVerb::Join(_) => {}
        WorkerVerb::List { limit } => list(&session, limit).await?,
        WorkerVerb::Drain { worker, undo } => {
            let what = format!("cannot drain worker {worker}");
            let request = DrainWorkerRequest {
                request_id: request_id(),
                worker_id: worker,
                undo,
            };
            let answer = session
                .client
                .runs()
                .drain_worker(session.client.ask(request))
                .await
                .or_say(what)?;
            let worker = answer.worker.unwrap_or_default();
            session.format.one(&worker, || about(&worker))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.runs();
    let workers = pages(limit.limit, async |page_size, page_token| {
        let request = session.client.ask(ListWorkersRequest {
            page_size,
            page_token,
        });
        let answer = service
            .list_workers(request)
            .await
            .or_say("cannot list workers")?;
        Ok((answer.workers, answer.next_page_token))
    })
    .await?;
    session.format.many(&workers, || {
        let mut rows = Rows::new(&[
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

fn state(worker: &Worker) -> String {
    word(worker.state().as_str_name(), "WORKER_STATE")
}

fn about(worker: &Worker) -> String {
    facts(&[
        ("Id", worker.id.clone()),
        ("State", state(worker)),
        ("Executor", worker.executor.clone()),
        (
            "Leases",
            format!("{} of {}", worker.leases, worker.capacity),
        ),
        ("Labels", worker.labels.join(", ")),
        ("Seen", moment(worker.seen_time.as_ref())),
        ("Version", worker.version.clone()),
    ])
}
