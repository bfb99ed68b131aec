//! Starts the service: puts its parts together and starts its tasks.
use ck8s_batch::Batches;
use ck8s_proto::ingress::v1::ingress_service_server::{IngressService, IngressServiceServer};
use ck8s_rpc::mesh::Channel;
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    IngressConfig,
    domain::delivery_notice::DeliveryNotice,
    grpc::IngressGrpc,
    peers::{
        delivery_notices::DeliveryNotices, hook_deliveries::HookDeliveries,
        repositories::RepositoryCache, runs::RunsClient,
        scheduled_repositories::ScheduledRepositories, write_access::WriteAccessClient,
    },
    pipeline::{
        handoff::{HANDOFF_CAPACITY, Handoff},
        in_flight::InFlight,
        ingest::Ingest,
        repair_queue::RepairQueue,
        run_creator::RunCreator,
        run_worker::{MAX_BATCH_DELIVERIES, RUN_WORKERS, RunWorker},
        verify::Verifier,
        writer::{MAX_BATCH_ROWS, WRITE_QUEUE_CAPACITY, WRITERS, WriteRequest, Writer},
    },
    service::{
        deliveries::Deliveries, fire_schedules::Schedules, recover_deliveries::Recovery,
        reprocess::Reprocessor,
    },
    tasks::{
        delivery_notices::{self, NOTICE_QUEUE_CAPACITY},
        recovery, repository_changes, retention, schedules,
        unprocessed_deliveries::Repair,
    },
};

/// What the ingress service needs of others.
#[derive(Clone)]
pub struct IngressDeps {
    /// At least six connections: two writers, two run workers, one that listens, one for everything else.
    pub pool: PgPool,
    /// Leads to the repositories and runs services, as the role `ingress`.
    pub channel: Channel,
}

/// The ingress service; a clone is the same service.
#[derive(Clone)]
pub struct Ingress {
    grpc: IngressGrpc,
}

impl Ingress {
    /// Starts the service and its tasks.
    #[must_use]
    pub fn start(deps: IngressDeps, config: IngressConfig, shutdown: CancellationToken) -> Self {
        let (ingress, recovery) = Self::without_recovery(deps, config, shutdown.clone());
        tokio::spawn(recovery::run(recovery, shutdown));
        ingress
    }

    /// Starts the service and its tasks but for the recovery, whose rounds the caller makes.
    pub(crate) fn without_recovery(
        deps: IngressDeps,
        config: IngressConfig,
        shutdown: CancellationToken,
    ) -> (Self, Recovery) {
        let IngressDeps { pool, channel } = deps;
        let IngressConfig { platform_secret } = config;
        let repositories = RepositoryCache::new(channel.clone());
        let creator = RunCreator::new(
            pool.clone(),
            RunsClient::new(channel.clone()),
            WriteAccessClient::new(channel.clone()),
        );
        let reprocessor = Reprocessor::new(pool.clone(), creator.clone(), repositories.clone());
        let (in_flight, repair_queue) = (InFlight::default(), RepairQueue::default());
        let handoff = start_run_workers(creator, in_flight.clone(), repair_queue.clone());
        let writer = start_writers(&pool, &handoff);
        let notices = start_notices(channel.clone());
        let repair = Repair::new(pool.clone(), reprocessor.clone(), in_flight, repair_queue);
        tokio::spawn(repair.run(shutdown.clone()));
        tokio::spawn(repository_changes::run(
            pool.clone(),
            repositories.clone(),
            shutdown.clone(),
        ));
        tokio::spawn(retention::run(pool.clone(), shutdown.clone()));
        let scheduled = ScheduledRepositories::new(channel.clone());
        let schedules = Schedules::new(
            pool.clone(),
            scheduled,
            repositories.clone(),
            writer.clone(),
        );
        tokio::spawn(schedules::run(schedules, shutdown));
        let recovery = Recovery::new(pool.clone(), HookDeliveries::new(channel));
        let verifier = Verifier::new(platform_secret.as_ref());
        let grpc = IngressGrpc {
            ingest: Ingest::new(repositories, verifier, writer, notices),
            deliveries: Deliveries::new(pool, reprocessor),
        };
        (Self { grpc }, recovery)
    }

    /// Returns the gRPC service.
    #[must_use]
    pub fn server(&self) -> IngressServiceServer<impl IngressService + use<>> {
        IngressServiceServer::new(self.grpc.clone())
            .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE_BYTES)
    }
}

fn start_run_workers(creator: RunCreator, in_flight: InFlight, repair: RepairQueue) -> Handoff {
    let (queue, pending) = mpsc::channel(HANDOFF_CAPACITY);
    let worker = RunWorker::new(creator, in_flight.clone());
    for batches in Batches::new(pending, MAX_BATCH_DELIVERIES).workers(RUN_WORKERS) {
        tokio::spawn(worker.clone().run(batches));
    }
    Handoff::new(queue, in_flight, repair)
}

fn start_writers(pool: &PgPool, handoff: &Handoff) -> mpsc::Sender<WriteRequest> {
    let (queue, requests) = mpsc::channel(WRITE_QUEUE_CAPACITY);
    for batches in Batches::new(requests, MAX_BATCH_ROWS).workers(WRITERS) {
        tokio::spawn(Writer::new(pool.clone(), handoff.clone()).run(batches));
    }
    queue
}

fn start_notices(channel: Channel) -> mpsc::Sender<DeliveryNotice> {
    let (queue, notices) = mpsc::channel(NOTICE_QUEUE_CAPACITY);
    tokio::spawn(delivery_notices::run(
        DeliveryNotices::new(channel),
        notices,
    ));
    queue
}
