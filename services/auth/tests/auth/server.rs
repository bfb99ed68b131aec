//! A server of its own for each test, and helpers that many tests use.
use std::{sync::Arc, time::Duration};

use ck8s_auth::{Auth, AuthConfig, OAuthConfig, SignInConfig};
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
use ck8s_tests::GitHub;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Status,
    service::Routes,
    transport::{Channel, Endpoint, Server},
};
use tonic_types::StatusExt;

/// The key ring of the tests' servers.
pub(crate) const KEY_RING: &str = "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The address where people would reach the console.
pub(crate) const PUBLIC_URL: &str = "https://ck8s.example";

/// A server: the mesh and a public listener, as in production.
pub(crate) struct TestServer {
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
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server with an identity provider.
    pub(crate) async fn start_with_provider(github: &GitHub) -> Self {
        let oauth = oauth_config(github);
        Self::start_with(|config| {
            config.sign_in = Some(SignInConfig {
                oauth: Some(oauth),
                issuer: PUBLIC_URL.to_owned(),
                public_url: Some(PUBLIC_URL.to_owned()),
                ..SignInConfig::new(key_ring())
            });
        })
        .await
    }

    /// Starts a server whose settings the test changes.
    pub(crate) async fn start_with(configure: impl FnOnce(&mut AuthConfig)) -> Self {
        let db = TestDb::new().await;
        let pool = db.pool(ServiceRole::Auth).await;
        // The first test installs the process's provider of TLS.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut config = AuthConfig {
            sign_in: Some(SignInConfig::new(key_ring())),
            ..AuthConfig::default()
        };
        configure(&mut config);
        let stop = CancellationToken::new();
        let auth = Auth::start(pool.clone(), config, stop.clone())
            .await
            .unwrap();
        let routes = routes_with_standard(
            Routes::new(auth.auth_server()).add_service(auth.projects_server()),
            &Default::default(),
        )
        .unwrap();
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mesh = Mesh::new();
        let identity = Arc::new(MeshIdentify::new(mesh.channel("edge")));
        let guard = GuardLayer::new(Arc::new(policy), identity);
        tokio::spawn({
            let (mesh, routes, guard, stop) =
                (mesh.clone(), routes.clone(), guard.clone(), stop.clone());
            async move { mesh.serve(routes, guard, stop).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(
            Server::builder()
                .layer(guard.public())
                .add_routes(routes)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let bootstrap = auth.bootstrap();
        let admin = bootstrap.ensure_admin_token("local-admin", None).await;
        let admin = admin.unwrap();
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

    /// Returns a client of AuthService, over TCP.
    pub(crate) fn auth_client(&self) -> AuthServiceClient<Channel> {
        AuthServiceClient::new(self.channel.clone())
    }

    /// Returns a client of ProjectsService, over TCP.
    pub(crate) fn projects_client(&self) -> ProjectsServiceClient<Channel> {
        ProjectsServiceClient::new(self.channel.clone())
    }

    /// Makes a request of the admin.
    pub(crate) fn admin<T>(&self, message: T) -> Request<T> {
        with_bearer(&self.admin, message)
    }

    /// Creates a token.
    pub(crate) async fn create_token(
        &self,
        request: pb::CreateTokenRequest,
    ) -> pb::CreateTokenResponse {
        let created = self.auth_client().create_token(self.admin(request)).await;
        created.unwrap().into_inner()
    }

    /// Creates a project.
    pub(crate) async fn project(&self, slug: &str) -> pb::Project {
        let request = pb::CreateProjectRequest {
            slug: slug.to_owned(),
            ..Default::default()
        };
        let mut client = self.projects_client();
        let made = client.create_project(self.admin(request));
        made.await.unwrap().into_inner().project.unwrap()
    }

    /// Adds a user with an unlimited API token, so that nobody has to sign in.
    pub(crate) async fn person(&self, email: &str, platform_admin: bool) -> (pb::User, String) {
        let request = pb::AddUserRequest {
            email: email.to_owned(),
            platform_admin,
            ..Default::default()
        };
        let added = self.auth_client().add_user(self.admin(request)).await;
        let user = added.unwrap().into_inner().user.unwrap();
        let token = format!("ck8s_usr_{}", uuid::Uuid::new_v4().simple());
        self.store_token(&user.id, &token).await;
        (user, token)
    }

    async fn store_token(&self, user_id: &str, token: &str) {
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

    /// Adds a member to a project.
    pub(crate) async fn member(&self, project: &str, user: &str, role: Role) {
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

    /// Returns who the bearer of a token is.
    pub(crate) async fn who_am_i(&self, token: &str) -> Result<pb::WhoAmIResponse, Status> {
        let request = with_bearer(token, pb::WhoAmIRequest {});
        Ok(self.auth_client().who_am_i(request).await?.into_inner())
    }

    /// Counts the flow events of a kind.
    pub(crate) async fn events(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM audit.flow_events WHERE kind = $1")
            .bind(kind)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// Adds an address to the allow-list.
    pub(crate) async fn allow(&self, email: &str) {
        sqlx::query("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), $1)")
            .bind(email)
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// Runs a query of one text.
    pub(crate) async fn text(&self, query: &'static str) -> String {
        self.text_of(query.to_owned()).await
    }

    /// Runs a query of one text that a test composes.
    pub(crate) async fn text_of(&self, query: String) -> String {
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(query));
        query.fetch_one(&self.owner).await.unwrap()
    }

    /// Runs a statement as the database's owner.
    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.owner).await.unwrap();
    }
}

/// Returns the settings of the fake GitHub's app.
fn oauth_config(github: &GitHub) -> OAuthConfig {
    let app = github.world().app.clone();
    OAuthConfig {
        url: github.url.clone(),
        // A slash at the end does no harm.
        api_url: format!("{}/", github.api_url()),
        client_id: app.client_id,
        client_secret: app.client_secret.into(),
    }
}

fn key_ring() -> ck8s_sealing::KeyRing {
    ck8s_sealing::KeyRing::from_text(KEY_RING).unwrap()
}

/// Makes a request with a bearer token.
pub(crate) fn with_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// Requests an admin's token.
pub(crate) fn admin_token(name: &str) -> pb::CreateTokenRequest {
    pb::CreateTokenRequest {
        name: name.to_owned(),
        kind: pb::TokenKind::Admin.into(),
        ..Default::default()
    }
}

/// Returns the code and the reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(response: Result<T, Status>) -> (Code, String) {
    let status = response.expect_err("is refused");
    let info = status.get_details_error_info();
    (status.code(), info.map(|i| i.reason).unwrap_or_default())
}

/// Waits until a condition holds; fails after five seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !condition().await {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(waited.is_ok(), "still not: {what}");
}
