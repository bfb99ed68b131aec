//! The service on a real database, called over a real connection. The other services are unavailable.
#![allow(dead_code, reason = "each test binary uses a part of it")]
use std::time::Duration;

use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_ingress::{Ingress, IngressConfig, IngressDeps};
use ck8s_proto::ingress::v1::{
    Delivery, DeliveryState, IngestResult, IngestWebhookRequest, ListDeliveriesRequest, Webhook,
    ingress_service_client::IngressServiceClient,
};
use ck8s_rpc::{Caller, mesh::Mesh, project_access::Access};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request,
    service::InterceptorLayer,
    transport::{Channel, Endpoint, Server},
};

/// Signs the events that come without a repository.
pub(crate) const SECRET: &str = "a secret of the platform";

/// A running service. Dropped, it stops.
pub(crate) struct World {
    pub client: IngressServiceClient<Channel>,
    pub db: TestDb,
    shutdown: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let shutdown = CancellationToken::new();
        let ingress = start(&db, shutdown.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        // The guard puts this into an admin's request.
        let admin = Caller::Admin {
            name: "me".to_owned(),
            person: None,
        };
        let access = Access::new(&admin, None);
        let everything = InterceptorLayer::new(move |mut request: Request<()>| {
            request.extensions_mut().insert(access.clone());
            Ok(request)
        });
        let serving = Server::builder()
            .layer(everything)
            .add_service(ingress.server())
            .serve_with_incoming_shutdown(
                TcpListenerStream::new(listener),
                shutdown.clone().cancelled_owned(),
            );
        tokio::spawn(serving);
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address")
            .connect_lazy();
        Self {
            client: IngressServiceClient::new(channel),
            db,
            shutdown,
        }
    }

    /// Starts another replica on the same database.
    pub(crate) async fn another(&self) -> Ingress {
        start(&self.db, self.shutdown.clone()).await
    }

    /// Changes the database without the service knowing.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        sqlx::query(sql)
            .execute(&self.db.owner().await)
            .await
            .expect("tampered");
    }

    /// Waits until a delivery is in this state, and returns it.
    pub(crate) async fn settled(&self, delivery: &str, state: DeliveryState) -> Delivery {
        let waiting = async {
            loop {
                let mut client = self.client.clone();
                let page = client.list_deliveries(ListDeliveriesRequest {
                    page_size: 200,
                    ..Default::default()
                });
                let page = page.await.expect("a page").into_inner().deliveries;
                let found = page
                    .into_iter()
                    .find(|d| d.delivery_id == delivery)
                    .expect("listed");
                if found.state() == state {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .expect("in time")
    }

    /// Sends webhooks and returns the outcome and the code of each.
    pub(crate) async fn ingest(&self, webhooks: Vec<Webhook>) -> Vec<(i32, String)> {
        let answer = self
            .client
            .clone()
            .ingest_webhook(IngestWebhookRequest { webhooks })
            .await;
        let results = answer.expect("an answer").into_inner().results;
        results
            .into_iter()
            .map(|IngestResult { outcome, code, .. }| (outcome, code))
            .collect()
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.db.owner().await)
            .await
            .expect("counted")
    }
}

async fn start(db: &TestDb, shutdown: CancellationToken) -> Ingress {
    // Nobody serves this mesh: repositories and runs are unavailable.
    let channel = Mesh::new().channel("ingress");
    let config = IngressConfig {
        platform_secret: Some(SECRET.to_owned().into()),
    };
    let deps = IngressDeps {
        pool: db.pool(ServiceRole::Ingress).await,
        channel,
    };
    Ingress::start(deps, config, shutdown)
}

/// Returns a well-formed webhook, signed with the platform's secret.
pub(crate) fn webhook(delivery_id: &str, body: &[u8]) -> Webhook {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(body);
    Webhook {
        provider: "github".to_owned(),
        event: "organization".to_owned(),
        delivery_id: delivery_id.to_owned(),
        signature: format!("sha256={}", hex::encode(mac.finalize().into_bytes())),
        body: body.to_vec().into(),
        content_type: "application/json".to_owned(),
    }
}
