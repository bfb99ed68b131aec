//! A server of its own for each test, and the words that tests use.
use std::{sync::Arc, time::Duration};

use ck8s_auth::{Auth, ProviderConfig, SignInConfig};
use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_proto::{
    auth::v1::{
        self as pb, auth_service_client::AuthServiceClient,
        projects_service_client::ProjectsServiceClient,
    },
    policy::v1::ProjectRole as Role,
};
use ck8s_rpc::{
    guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy,
    server::routes_with_standard,
};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Status,
    service::Routes,
    transport::{Channel, Endpoint, Server},
};
use tonic_types::StatusExt;

/// Seals for every server of these tests.
pub const KEY_RING: &str = "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub use crate::github::PUBLIC_URL;

/// One server: the mesh and a public listener, as in production.
pub struct TestServer {
    pub auth: Auth,
    pub mesh: Mesh,
    pub channel: Channel,
    /// An admin's token.
    pub admin: String,
    pub owner: sqlx::PgPool,
    pub pool: sqlx::PgPool,
    _stop: DropGuard,
    _db: TestDb,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(|auth| auth).await
    }

    /// With a provider that knows people.
    pub async fn start_known_to(provider: ProviderConfig) -> Self {
        let config = SignInConfig {
            provider: Some(provider),
            issuer: PUBLIC_URL.to_owned(),
            public_url: Some(PUBLIC_URL.to_owned()),
            ..SignInConfig::new(key_ring())
        };
        Self::start_with(|auth| auth.signing_in(config).unwrap()).await
    }

    /// With the service set up in a way of the test's own.
    pub async fn start_with(set_up: impl FnOnce(Auth) -> Auth) -> Self {
        let db = TestDb::new().await;
        let pool = db.pool(ServiceRole::Auth).await;
        // One provider of TLS is in the graph; the first test installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let auth = Auth::new(pool.clone()).signing_in(SignInConfig::new(key_ring()));
        let auth = set_up(auth.unwrap());
        let routes = routes_with_standard(
            Routes::new(auth.auth_server()).add_service(auth.projects_server()),
            &Default::default(),
        )
        .unwrap();
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mesh = Mesh::new();
        let identity = Arc::new(MeshIdentify::new(mesh.channel("edge")));
        let guard = GuardLayer::new(Arc::new(policy), identity);
        let stop = CancellationToken::new();
        tokio::spawn({
            let (mesh, routes, guard, stop) =
                (mesh.clone(), routes.clone(), guard.clone(), stop.clone());
            async move { mesh.serve(routes, guard, stop).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(
            Server::builder()
                .layer(guard)
                .add_routes(routes)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let admin = auth.ensure_admin_token("local-admin", None).await.unwrap();
        Self {
            auth,
            mesh,
            channel,
            admin,
            owner: db.owner().await,
            pool,
            _stop: stop.drop_guard(),
            _db: db,
        }
    }

    /// AuthService over TCP.
    pub fn auth_client(&self) -> AuthServiceClient<Channel> {
        AuthServiceClient::new(self.channel.clone())
    }

    /// ProjectsService over TCP.
    pub fn projects_client(&self) -> ProjectsServiceClient<Channel> {
        ProjectsServiceClient::new(self.channel.clone())
    }

    /// A request of the admin.
    pub fn admin<T>(&self, message: T) -> Request<T> {
        with_bearer(&self.admin, message)
    }

    /// Makes a token and gives its secret.
    pub async fn create_token(&self, request: pb::CreateTokenRequest) -> pb::CreateTokenResponse {
        let created = self.auth_client().create_token(self.admin(request)).await;
        created.unwrap().into_inner()
    }

    /// Makes a project.
    pub async fn project(&self, slug: &str) -> pb::Project {
        let request = pb::CreateProjectRequest {
            slug: slug.to_owned(),
            ..Default::default()
        };
        let mut client = self.projects_client();
        let made = client.create_project(self.admin(request));
        made.await.unwrap().into_inner().project.unwrap()
    }

    /// A user with an API token as wide as they are: nobody signs in here.
    pub async fn person(&self, email: &str, platform_admin: bool) -> (pb::User, String) {
        let request = pb::AddUserRequest {
            email: email.to_owned(),
            platform_admin,
            ..Default::default()
        };
        let added = self.auth_client().add_user(self.admin(request)).await;
        let user = added.unwrap().into_inner().user.unwrap();
        let token = format!("ck8s_usr_{}", uuid::Uuid::new_v4().simple());
        self.give(&user.id, &token).await;
        (user, token)
    }

    async fn give(&self, user_id: &str, token: &str) {
        use sha2::Digest;
        let hash = sha2::Sha256::digest(token);
        sqlx::query(
            "INSERT INTO auth.tokens (id, name, kind, hash, user_id) VALUES ($1, 'first', 'person', $2, $3)",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(hash.as_slice())
        .bind(user_id.parse::<uuid::Uuid>().unwrap())
        .execute(&self.owner)
        .await
        .unwrap();
    }

    /// Makes somebody a member.
    pub async fn member(&self, project: &str, user: &str, role: Role) {
        let request = pb::AddMemberRequest {
            project: project.to_owned(),
            user: user.to_owned(),
            role: role.into(),
            ..Default::default()
        };
        let mut client = self.projects_client();
        let added = client.add_member(self.admin(request));
        added.await.unwrap();
    }

    /// Who the bearer of a token is.
    pub async fn who_am_i(&self, token: &str) -> Result<pb::WhoAmIResponse, Status> {
        let asked = with_bearer(token, pb::WhoAmIRequest {});
        Ok(self.auth_client().who_am_i(asked).await?.into_inner())
    }

    /// How many flow events of a kind there are.
    pub async fn events(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM audit.flow_events WHERE kind = $1")
            .bind(kind)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// Puts an address on the allow-list.
    pub async fn allow(&self, email: &str) {
        sqlx::query("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), $1)")
            .bind(email)
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// What a query of one text says.
    pub async fn text(&self, query: &'static str) -> String {
        self.text_of(query.to_owned()).await
    }

    /// The same, for a query that a test puts together.
    pub async fn text_of(&self, query: String) -> String {
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(query));
        query.fetch_one(&self.owner).await.unwrap()
    }

    /// Runs a statement as the database's owner.
    pub async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.owner).await.unwrap();
    }
}

fn key_ring() -> ck8s_sealing::KeyRing {
    ck8s_sealing::KeyRing::from_text(KEY_RING).unwrap()
}

/// A request with a bearer token.
pub fn with_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// A request for an admin's token.
pub fn admin_token(name: &str) -> pb::CreateTokenRequest {
    pb::CreateTokenRequest {
        name: name.to_owned(),
        kind: pb::TokenKind::Admin.into(),
        ..Default::default()
    }
}

/// The code and the reason of a refusal.
pub fn told<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("is refused");
    let info = status.get_details_error_info();
    (status.code(), info.map(|i| i.reason).unwrap_or_default())
}

/// Waits until a condition holds; fails after five seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !condition().await {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(waited.is_ok(), "still not: {what}");
}
