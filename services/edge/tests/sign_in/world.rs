//! An edge in front of the real auth service, on a database of its own, and a fake GitHub where Ada is signed in.
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use ck8s_auth::{Auth, AuthConfig, OAuthConfig, SignInConfig};
use ck8s_db::{ServiceRole, test::TestDb};
use ck8s_edge::{Edge, EdgeConfig, EdgeDeps};
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use ck8s_sealing::KeyRing;
use ck8s_tests::{Account, GitHub, GitHubWorld};
use reqwest::{Client, RequestBuilder, Response, redirect};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;

/// The address where people would reach the console.
pub(crate) const PUBLIC_URL: &str = "https://ck8s.example";

/// The edge, what is behind it, and the browser in front of it.
pub(crate) struct World {
    pub address: SocketAddr,
    pub auth: Auth,
    pub github: GitHub,
    pub browser: Client,
    owner: sqlx::PgPool,
    _stop: DropGuard,
    _db: TestDb,
}

/// A cookie that was set.
pub(crate) struct SetCookie {
    pub value: String,
    /// The attributes behind the value, in any order.
    pub attributes: BTreeSet<String>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(EdgeConfig::default()).await
    }

    pub(crate) async fn with(config: EdgeConfig) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let db = TestDb::new().await;
        let callback = format!("{PUBLIC_URL}/auth/github/callback");
        let ada = Account::new(1, "ada", "ada@example.com");
        let github = GitHub::start(GitHubWorld::new(&callback).with(ada)).await;
        let stop = CancellationToken::new();
        let pool = db.pool(ServiceRole::Auth).await;
        let auth = Auth::start(pool, auth_config(&github), stop.clone())
            .await
            .unwrap();
        let routes = Routes::new(auth.auth_server()).add_service(auth.projects_server());
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
        let policy = Arc::new(policy);
        let mesh = Mesh::new();
        let identity = MeshIdentify::new(mesh.channel("edge"));
        let guard = GuardLayer::new(policy.clone(), Arc::new(identity));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn({
            let (mesh, routes, guard, stop) =
                (mesh.clone(), routes.clone(), guard.clone(), stop.clone());
            async move { mesh.serve(routes, guard, stop).await }
        });
        let config = EdgeConfig {
            public_url: Some(PUBLIC_URL.to_owned()),
            ..config
        };
        let services = mesh.services(routes, &guard.public(), &guard.relay());
        let channel = mesh.channel("edge");
        let deps = EdgeDeps {
            listener,
            services,
            policy,
            channel,
            readiness: || async { Vec::new() },
        };
        tokio::spawn(Edge::serve(deps, config, stop.clone()));
        Self {
            address,
            auth,
            github,
            browser: Client::builder()
                .redirect(redirect::Policy::none())
                .build()
                .unwrap(),
            owner: db.owner().await,
            _stop: stop.drop_guard(),
            _db: db,
        }
    }

    /// Puts an address on the allow-list.
    pub(crate) async fn allow(&self, email: &str) {
        sqlx::query("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), $1)")
            .bind(email)
            .execute(&self.owner)
            .await
            .unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.browser.get(self.url(path)).send().await.unwrap()
    }

    /// A request as the console sends it.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.browser
            .post(self.url(path))
            .header("content-type", "application/json")
            .header("origin", PUBLIC_URL)
    }

    /// Sends a script's request with the refresh token in its cookie.
    pub(crate) async fn post_with(&self, path: &str, refresh: &str) -> Response {
        let cookie = format!("other=1; ck8s_refresh={refresh}");
        let request = self.post(path).header("cookie", cookie).body("{}");
        request.send().await.unwrap()
    }

    /// Goes to the provider and back. Returns the answer to coming back.
    pub(crate) async fn sign_in(&self, return_to: &str) -> Response {
        let login = self
            .get(&format!("/auth/github/login?return_to={return_to}"))
            .await;
        assert_eq!(login.status(), 303);
        let browser = set_cookie(&login, "ck8s_sign_in").unwrap().value;
        let (code, state) = self.github.authorize(&location(&login)).await;
        self.callback(&format!("code={code}&state={state}"), &browser)
            .await
    }

    pub(crate) async fn callback(&self, query: &str, browser: &str) -> Response {
        let request = self
            .browser
            .get(self.url(&format!("/auth/github/callback?{query}")));
        let request = request.header("cookie", format!("ck8s_sign_in={browser}"));
        request.send().await.unwrap()
    }
}

/// Returns the settings of an auth service that signs people in at this GitHub.
fn auth_config(github: &GitHub) -> AuthConfig {
    let app = github.world().app.clone();
    let oauth = OAuthConfig {
        url: github.url.clone(),
        api_url: github.api_url(),
        client_id: app.client_id,
        client_secret: app.client_secret.into(),
    };
    let ring = KeyRing::from_text("t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let sign_in = SignInConfig {
        oauth: Some(oauth),
        public_url: Some(PUBLIC_URL.to_owned()),
        ..SignInConfig::new(ring.unwrap())
    };
    AuthConfig {
        sign_in: Some(sign_in),
        ..AuthConfig::default()
    }
}

/// Returns where a response sends the browser.
pub(crate) fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// Returns a cookie that a response sets.
pub(crate) fn set_cookie(response: &Response, name: &str) -> Option<SetCookie> {
    let all = response.headers().get_all("set-cookie").iter();
    all.filter_map(|value| {
        let rest = value.to_str().unwrap().strip_prefix(&format!("{name}="))?;
        let (value, attributes) = rest.split_once("; ").unwrap();
        Some(SetCookie {
            value: value.to_owned(),
            attributes: attributes.split("; ").map(str::to_owned).collect(),
        })
    })
    .next()
}
