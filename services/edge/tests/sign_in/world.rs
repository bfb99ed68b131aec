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
    pub name: String,
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

    /// Begins a sign-in at the public URL, in a browser with these cookies.
    pub(crate) async fn login(&self, return_to: &str, cookies: &str) -> Response {
        let url = self.url(&format!("/auth/github/login?return_to={return_to}"));
        let request = self.browser.get(url).header("host", "ck8s.example");
        request.header("cookie", cookies).send().await.unwrap()
    }

    /// Goes to the provider and back. Returns the answer to coming back.
    pub(crate) async fn sign_in(&self, return_to: &str) -> Response {
        let (query, cookie) = self.authorized(return_to).await;
        self.callback(&query, &cookie).await
    }

    /// Goes to the provider, which sends the browser back with this query. Returns the sign-in's cookie too.
    pub(crate) async fn authorized(&self, return_to: &str) -> (String, String) {
        let login = self.login(return_to, "").await;
        assert_eq!(login.status(), 303);
        let cookie = set_cookie(&login, "ck8s_sign_in_").unwrap().pair();
        let (code, state) = self.github.authorize(&location(&login)).await;
        (format!("code={code}&state={state}"), cookie)
    }

    /// Comes back from the provider, in a browser with these cookies.
    pub(crate) async fn callback(&self, query: &str, cookies: &str) -> Response {
        let request = self
            .browser
            .get(self.url(&format!("/auth/github/callback?{query}")));
        request.header("cookie", cookies).send().await.unwrap()
    }
}

impl SetCookie {
    /// Returns the cookie as a browser sends it.
    pub(crate) fn pair(&self) -> String {
        format!("{}={}", self.name, self.value)
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

/// Returns the first cookie that a response sets whose name begins so.
pub(crate) fn set_cookie(response: &Response, name: &str) -> Option<SetCookie> {
    set_cookies(response)
        .into_iter()
        .find(|cookie| cookie.name.starts_with(name))
}

/// Returns the cookies that a response sets.
pub(crate) fn set_cookies(response: &Response) -> Vec<SetCookie> {
    let all = response.headers().get_all("set-cookie").iter();
    let cookie = |text: &str| {
        let (pair, attributes) = text.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        SetCookie {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: attributes.split("; ").map(str::to_owned).collect(),
        }
    };
    all.map(|value| cookie(value.to_str().unwrap())).collect()
}
