//! A server whose recovery a test drives by its own clock: auth, repositories and ingress on a real database, behind
//! the real public listener, and a GitHub whose hook posts to it.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_auth::{Auth, AuthConfig};
use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_edge::{Edge, EdgeConfig, EdgeDeps};
use ck8s_github::{GitHub as Client, GitHubConfig};
use ck8s_proto::{
    auth::v1::{CreateProjectRequest, projects_service_client::ProjectsServiceClient},
    repositories::v1::{
        AddRepositoryRequest, add_repository_request::Credential,
        repositories_service_client::RepositoriesServiceClient,
    },
};
use ck8s_repositories::{ManagedProvider, Repositories, RepositoriesConfig, RepositoriesDeps};
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use ck8s_sealing::KeyRing;
use ck8s_tests::{
    Account, GitHub, GitHubWorld,
    github::{Hook, Repository},
    new_id, until,
};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, metadata::MetadataValue, service::Routes, transport::Endpoint};

use super::super::{Listing, Recovery, RecoveryOutcome};
use crate::{Ingress, IngressConfig, IngressDeps, peers::hook_deliveries::HookDeliveries};

/// GitHub's id of the repository.
const REPOSITORY: u64 = 501;

/// The server and its GitHub.
pub(super) struct World {
    pub github: GitHub,
    pub owner: PgPool,
    recovery: Recovery,
    mesh: Mesh,
    db: TestDb,
    _shutdown: DropGuard,
}

/// A row of a missing delivery.
#[derive(sqlx::FromRow, Debug)]
pub(super) struct Row {
    pub state: String,
    pub reason: String,
    pub tries: i32,
}

impl World {
    pub(super) async fn start() -> Self {
        let repository = Repository::new(REPOSITORY, "acme/one")
            .with("robot", "admin")
            .file(".ck8s/services.yaml", "version: 1\ntriggers: []\n");
        let world = GitHubWorld::new("http://localhost/callback")
            .with(Account::new(8, "robot", "robot@example.test"))
            .having(repository);
        let github = GitHub::start(world).await;
        let db = TestDb::new().await;
        let shutdown = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let mesh = Mesh::new();
        let pool = db.pool(ServiceRole::Auth).await;
        let auth = Auth::start(pool, AuthConfig::default(), shutdown.clone()).await;
        let auth = auth.expect("the auth service");
        let repositories = repositories(&db, &mesh, &github, &url, &shutdown).await;
        let deps = IngressDeps {
            pool: db.pool(ServiceRole::Ingress).await,
            channel: mesh.channel("ingress"),
        };
        let config = IngressConfig {
            platform_secret: None,
        };
        let (ingress, recovery) = Ingress::without_recovery(deps, config, shutdown.clone());
        let routes = Routes::new(auth.auth_server())
            .add_service(auth.projects_server())
            .add_service(repositories.server())
            .add_service(ingress.server());
        serve(routes, &mesh, listener, &shutdown);
        let token = auth.bootstrap().ensure_admin_token("me", None).await;
        add_repository(&url, &token.expect("an admin"), &github).await;
        Self {
            github,
            owner: db.owner().await,
            recovery,
            mesh,
            db,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// Returns the recovery of another replica.
    pub(super) async fn another_recovery(&self) -> Recovery {
        let pool = self.db.pool(ServiceRole::Ingress).await;
        Recovery::new(pool, HookDeliveries::new(self.mesh.channel("ingress")))
    }

    pub(super) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Makes a round that reads lists.
    pub(super) async fn find(&self, now: OffsetDateTime) -> RecoveryOutcome {
        let round = self.recovery.round(now, Listing::Read).await;
        round.expect("a round")
    }

    /// Makes a round that goes on with what is known.
    pub(super) async fn go_on(&self, now: OffsetDateTime) {
        let round = self.recovery.round(now, Listing::Skip).await;
        round.expect("a round");
    }

    /// Has the hook deliver as many events, and returns the status that each got.
    pub(super) async fn emit(&self, count: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for number in 0..count {
            let payload = json!({
                "action": "opened",
                "repository": { "id": REPOSITORY, "full_name": "acme/one" },
                "sender": { "login": "ada", "type": "User" },
                "issue": { "number": number, "title": "t", "user": { "login": "ada" } },
            });
            statuses.extend(self.github.emit(REPOSITORY, "issues", &payload).await);
        }
        statuses
    }

    /// Changes the hook.
    pub(super) fn hook(&self, change: impl FnOnce(&mut Hook)) {
        change(&mut self.github.world().repository(REPOSITORY).hooks[0]);
    }

    /// Returns the ids of the hook's deliveries of events.
    pub(super) fn delivery_keys(&self) -> Vec<String> {
        let mut world = self.github.world();
        let attempts = &world.repository(REPOSITORY).hooks[0].attempts;
        let events = attempts.iter().filter(|a| a.event == "issues");
        let first = events.filter(|attempt| !attempt.redelivery);
        first.map(|attempt| attempt.guid.clone()).collect()
    }

    /// Counts the requests for another attempt, by the status that each got.
    pub(super) fn requests(&self) -> HashMap<u16, usize> {
        let mut requests = HashMap::new();
        for call in &self.github.world().calls {
            if call.method == "POST" && call.path.ends_with("/attempts") {
                *requests.entry(call.status).or_default() += 1;
            }
        }
        requests
    }

    /// Returns the rows, in the order of their deliveries.
    pub(super) async fn rows(&self) -> Vec<Row> {
        let rows = "SELECT state, reason, tries FROM ingress.missing_deliveries
                    ORDER BY attempted_at, delivery_key";
        sqlx::query_as(rows)
            .fetch_all(&self.owner)
            .await
            .expect("rows")
    }

    /// Returns the messages and the counts of this kind's flow events.
    pub(super) async fn events(&self, kind: &str) -> Vec<(String, i64)> {
        let events = "SELECT message, (data ->> 'count')::bigint FROM audit.flow_events WHERE kind = $1 ORDER BY seq";
        sqlx::query_as(events)
            .bind(kind)
            .fetch_all(&self.owner)
            .await
            .expect("events")
    }

    /// Waits until all of these deliveries are stored.
    pub(super) async fn stored(&self, keys: &[String]) {
        until("the deliveries are stored", async || {
            let count = "SELECT count(*) FROM ingress.delivery_keys WHERE delivery_key = ANY ($1)";
            let count: i64 = sqlx::query_scalar(count)
                .bind(keys)
                .fetch_one(&self.owner)
                .await
                .expect("a count");
            (usize::try_from(count) == Ok(keys.len())).then_some(())
        })
        .await;
    }
}

async fn repositories(
    db: &TestDb,
    mesh: &Mesh,
    github: &GitHub,
    url: &str,
    shutdown: &CancellationToken,
) -> Repositories {
    let quick = GitHubConfig {
        retry_delay: Duration::from_millis(1),
        write_burst: 10_000,
        ..GitHubConfig::default()
    };
    let client = Client::with_config(&github.api_url(), quick).expect("an address");
    let deps = RepositoriesDeps {
        pool: db.pool(ServiceRole::Repositories).await,
        channel: mesh.channel("repositories"),
    };
    let keys = KeyRing::generate_text();
    let config = RepositoriesConfig {
        key_ring: KeyRing::from_text(keys.expose_secret()).expect("a key ring"),
        provider: Some(ManagedProvider {
            api: Arc::new(client),
            hook_url: format!("{url}/api/v1/webhooks/github"),
            console_url: url.to_owned(),
            database_url: db.url().to_owned().into(),
        }),
    };
    let started = Repositories::start(deps, config, shutdown.clone()).await;
    started.expect("the repositories service")
}

/// Serves the mesh and the public listener.
fn serve(routes: Routes, mesh: &Mesh, listener: TcpListener, shutdown: &CancellationToken) {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET);
    let policy = Arc::new(policy.expect("a policy"));
    let identity = Arc::new(MeshIdentify::new(mesh.channel("edge")));
    let guard = GuardLayer::new(policy.clone(), identity);
    let deps = EdgeDeps {
        listener,
        services: mesh.services(routes.clone(), &guard.public(), &guard.relay()),
        policy,
        channel: mesh.channel("edge"),
        readiness: || async { Vec::new() },
    };
    let (peers, stop) = (mesh.clone(), shutdown.clone());
    tokio::spawn(async move { peers.serve(routes, guard, stop).await });
    tokio::spawn(Edge::serve(deps, EdgeConfig::default(), shutdown.clone()));
}

async fn add_repository(url: &str, admin_token: &str, github: &GitHub) {
    let token = github.world().classic_token("robot", &["repo"]);
    let bearer: MetadataValue<_> = format!("Bearer {admin_token}").parse().expect("a header");
    let channel = Endpoint::from_shared(url.to_owned()).expect("an address");
    let channel = channel.connect_lazy();
    let authorize = move |mut request: Request<()>| {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", bearer.clone());
        Ok(request)
    };
    let project = CreateProjectRequest {
        request_id: new_id(),
        slug: "shop".to_owned(),
        name: String::new(),
    };
    ProjectsServiceClient::with_interceptor(channel.clone(), authorize.clone())
        .create_project(project)
        .await
        .expect("a project");
    let repository = AddRepositoryRequest {
        request_id: new_id(),
        project: "shop".to_owned(),
        full_name: "acme/one".to_owned(),
        credential: Some(Credential::Token(token)),
        ..Default::default()
    };
    RepositoriesServiceClient::with_interceptor(channel, authorize)
        .add_repository(repository)
        .await
        .expect("a repository");
}
