//! The service put together, with its tasks.
use std::sync::Arc;

use ck8s_proto::ingress::v1::ingress_service_server::{IngressService, IngressServiceServer};
use ck8s_rpc::mesh::Channel;
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    IngressConfig,
    grpc::Grpc,
    handler::{self, Handler, Inlet},
    ingest::Ingest,
    peers::{provider::Provider, repositories::Repositories, runs::Runs},
    service::Inbox,
    tasks::{self, recovery::Recovery, repair::Repair},
    writer::{self, Writer},
};

/// The ingress service; a clone is the same service.
#[derive(Clone)]
pub struct Ingress {
    grpc: Grpc,
}

impl Ingress {
    /// Starts the service's tasks. `channel` leads to the repositories and runs services, as role `ingress`.
    ///
    /// The pool needs at least six connections: two writers, two handlers, one that listens, one for everything else.
    #[must_use]
    pub fn start(
        pool: PgPool,
        channel: Channel,
        config: IngressConfig,
        shutdown: CancellationToken,
    ) -> Self {
        let repositories = Repositories::new(channel.clone());
        let (queue, pending) = mpsc::channel(handler::QUEUE);
        let provider = Provider::new(channel.clone());
        let handler = Handler::new(pool.clone(), Runs::new(channel), provider.clone());
        let inlet = Inlet::new(handler.clone(), queue);
        let pending = Arc::new(Mutex::new(pending));
        for _ in 0..handler::HANDLERS {
            tokio::spawn(handler.clone().run(pending.clone()));
        }
        let (writer, items) = mpsc::channel(writer::QUEUE);
        let items = Arc::new(Mutex::new(items));
        for _ in 0..writer::WRITERS {
            tokio::spawn(Writer::new(pool.clone(), items.clone(), inlet.clone()).run());
        }
        tokio::spawn(tasks::changes::run(
            pool.clone(),
            repositories.clone(),
            shutdown.clone(),
        ));
        tokio::spawn(tasks::retention::run(pool.clone(), shutdown.clone()));
        let repair = Repair::new(pool.clone(), handler.clone(), repositories.clone());
        tokio::spawn(repair.run(shutdown.clone()));
        let recovery = Recovery::new(pool.clone(), provider.clone());
        tokio::spawn(recovery.run(shutdown));
        let (notes, told) = mpsc::channel(tasks::notes::QUEUE);
        tokio::spawn(tasks::notes::run(provider, told));
        let ingest = Ingest::new(repositories.clone(), writer, config.platform_secret, notes);
        Self {
            grpc: Grpc {
                ingest,
                inbox: Inbox {
                    pool,
                    handler,
                    repositories,
                },
            },
        }
    }

    /// The gRPC service.
    #[must_use]
    pub fn server(&self) -> IngressServiceServer<impl IngressService + use<>> {
        IngressServiceServer::new(self.grpc.clone())
            .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE)
            .max_encoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE)
    }
}
