//! One server with its database: the services on the mesh, and a listener for the admin, who has a bearer token.
use std::sync::Arc;

use ck8s_auth::{Auth, AuthConfig};
use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_proto::{
    auth::v1::{CreateProjectRequest, Project, projects_service_client::ProjectsServiceClient},
    repositories::v1::{self as pb, repositories_service_client::RepositoriesServiceClient},
};
use ck8s_repositories::{Error, Repositories, RepositoriesConfig, RepositoriesDeps};
use ck8s_rpc::{
    guard::GuardLayer,
    identify::MeshIdentify,
    mesh::{self, Mesh},
    policy::Policy,
};
use ck8s_sealing::KeyRing;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Server},
};
use tonic_types::StatusExt;
use uuid::Uuid;

pub(crate) const SERVICES: &str =
    "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}}]\n";

pub(crate) type Client<I> = RepositoriesServiceClient<InterceptedService<Channel, I>>;

/// Sends the admin's token.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) struct World {
    pub db: TestDb,
    pub owner: PgPool,
    pub admin: Client<Bearer>,
    pub ingress: RepositoriesServiceClient<mesh::Channel>,
    pub runs: RepositoriesServiceClient<mesh::Channel>,
    pub project: Project,
    pub other_project: Project,
    _shutdown: DropGuard,
}

/// Starts the service with these keys.
async fn start(
    db: &TestDb,
    mesh: &Mesh,
    keys: &str,
    shutdown: CancellationToken,
) -> Result<Repositories, Error> {
    let deps = RepositoriesDeps {
        pool: db.pool(ServiceRole::Repositories).await,
        channel: mesh.channel("repositories"),
    };
    let config = RepositoriesConfig {
        key_ring: KeyRing::from_text(keys).expect("a key ring"),
        provider: None,
    };
    Repositories::start(deps, config, shutdown).await
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_keys(KeyRing::generate_text().expose_secret()).await
    }

    pub(crate) async fn with_keys(keys: &str) -> Self {
        let db = TestDb::new().await;
        let owner = db.owner().await;
        let mesh = Mesh::new();
        let shutdown = CancellationToken::new();
        let pool = db.pool(ServiceRole::Auth).await;
        let auth = Auth::start(pool, AuthConfig::default(), shutdown.clone()).await;
        let auth = auth.expect("the auth service");
        let service = start(&db, &mesh, keys, shutdown.clone())
            .await
            .expect("it starts");
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET);
        let identify = MeshIdentify::new(mesh.channel("edge"));
        let guard = GuardLayer::new(Arc::new(policy.expect("a policy")), Arc::new(identify));
        let routes = Routes::new(auth.auth_server())
            .add_service(auth.projects_server())
            .add_service(service.server());

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let public = Server::builder()
            .layer(guard.public())
            .add_routes(routes.clone())
            .serve_with_incoming_shutdown(
                TcpListenerStream::new(listener),
                shutdown.clone().cancelled_owned(),
            );
        tokio::spawn(public);
        let (peers, stop) = (mesh.clone(), shutdown.clone());
        tokio::spawn(async move { peers.serve(routes, guard, stop).await });

        let token = auth
            .bootstrap()
            .ensure_admin_token("local-admin", None)
            .await
            .expect("an admin");
        let bearer = format!("Bearer {token}");
        let bearer = Bearer(bearer.parse().expect("a header"));
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address")
            .connect_lazy();
        let mut projects = ProjectsServiceClient::with_interceptor(channel.clone(), bearer.clone());
        let mut project = async |slug: &str| {
            let request = CreateProjectRequest {
                request_id: String::new(),
                slug: slug.to_owned(),
                name: String::new(),
            };
            let answer = projects.create_project(request).await.expect("a project");
            answer.into_inner().project.expect("a project")
        };
        Self {
            project: project("acme").await,
            other_project: project("other").await,
            admin: RepositoriesServiceClient::with_interceptor(channel, bearer),
            ingress: RepositoriesServiceClient::new(mesh.channel("ingress")),
            runs: RepositoriesServiceClient::new(mesh.channel("runs")),
            db,
            owner,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// Starts another replica of the service with these keys.
    pub(crate) async fn start_replica(&self, keys: &str) -> Result<Repositories, Error> {
        start(&self.db, &Mesh::new(), keys, CancellationToken::new()).await
    }

    /// Returns a request that adds acme/app, external id 1, to the project acme.
    pub(crate) fn app(&self) -> pb::AddRepositoryRequest {
        pb::AddRepositoryRequest {
            request_id: Uuid::now_v7().to_string(),
            project: self.project.slug.clone(),
            full_name: "acme/app".into(),
            external_id: "1".into(),
            default_branch: String::new(),
            services_text: SERVICES.into(),
            webhook_secret: String::new(),
            ..Default::default()
        }
    }

    pub(crate) async fn add(
        &mut self,
        request: pb::AddRepositoryRequest,
    ) -> pb::AddRepositoryResponse {
        let answer = self.admin.add_repository(request).await.expect("is added");
        answer.into_inner()
    }

    pub(crate) async fn resolve(&mut self, external_ids: &[&str]) -> Vec<pb::ResolvedRepository> {
        let request = pb::ResolveRepositoriesRequest {
            provider: pb::Provider::Github.into(),
            external_ids: external_ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let answer = self.ingress.resolve_repositories(request).await;
        answer.expect("resolves").into_inner().repositories
    }

    pub(crate) async fn secrets_of(&mut self, external_id: &str) -> Vec<String> {
        let mut resolved = self.resolve(&[external_id]).await;
        assert_eq!(resolved.len(), 1);
        resolved.remove(0).webhook_secrets
    }

    /// Returns kinds, actors, messages and data of the events of the project, in order.
    pub(crate) async fn events(&self) -> Vec<(String, String, String, serde_json::Value)> {
        let id = Uuid::parse_str(&self.project.id).expect("an id");
        let sql = "SELECT kind, actor, message, data FROM audit.flow_events
                   WHERE project_id = $1 AND kind ~ '^(repository|secret)\\.' ORDER BY xact, seq";
        sqlx::query_as(sql)
            .bind(id)
            .fetch_all(&self.owner)
            .await
            .expect("reads")
    }

    pub(crate) async fn kinds(&self) -> Vec<String> {
        self.events().await.into_iter().map(|e| e.0).collect()
    }
}

/// Returns code, reason and message of an error.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, String) {
    let status = answer.expect_err("is refused");
    let info = status.get_details_error_info();
    let reason = info.map(|i| i.reason).unwrap_or_default();
    (status.code(), reason, status.message().to_owned())
}
