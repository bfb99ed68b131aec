//! A fake GitHub with some people and a repository, and a client of it.
use std::time::Duration;

use ck8s_github::{GitHub as Client, GitHubConfig};
use ck8s_provider::{Credential, Remote, RepositoryProvider};
use ck8s_tests::{
    Account, GitHub, GitHubWorld,
    github::{PullRequest, Repository},
};

use crate::api_description;

pub(crate) const APP: u64 = 7001;
pub(crate) const ADA: u64 = 7;
/// All permissions that ck8s needs in a repository, by their names for apps.
pub(crate) const ALL_PERMISSIONS: [(&str, &str); 6] = [
    ("metadata", "read"),
    ("contents", "read"),
    ("repository_hooks", "write"),
    ("statuses", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
];

/// What each test starts with.
pub(crate) struct Fixture {
    pub github: GitHub,
    pub client: Client,
    /// Ada's classic token, with the scope `repo`.
    pub token: String,
    pub ada: Credential,
    pub remote: Remote,
}

/// Short timeouts, so that tests do not wait.
pub(crate) fn config() -> GitHubConfig {
    GitHubConfig {
        request_timeout: Duration::from_millis(500),
        retry_delay: Duration::from_millis(1),
        write_burst: 1000,
        ..GitHubConfig::default()
    }
}

/// Returns a pull request of Bob's, of a branch of this repository.
pub(crate) fn pull_request(repository: Option<u64>) -> PullRequest {
    PullRequest {
        branch: "topic".to_owned(),
        commit: "c".repeat(40),
        repository,
        base: "main".to_owned(),
        by: 8,
        updated_at: 1_800_000_000,
    }
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let mut repository = Repository::new(APP, "acme/app")
            .with("ada", "admin")
            .with("bob", "write")
            .with("mae", "maintain")
            .with("tim", "triage")
            .file("services.yaml", "version: 1\n")
            .thread(5);
        repository.open_pull_request(6, pull_request(Some(APP)));
        let person = |id, login: &str| Account::new(id, login, &format!("{login}@example.test"));
        let world = GitHubWorld::new("http://127.0.0.1/callback")
            .with(person(ADA, "ada"))
            .with(person(8, "bob"))
            .with(person(9, "mae"))
            .with(person(10, "tim"))
            .with(person(11, "eve"))
            .having(repository);
        let github = GitHub::start(world).await;
        let client = Client::with_config(&github.api_url(), config()).unwrap();
        let token = {
            let mut world = github.world();
            world.exchanges = Some(Vec::new());
            world.classic_token("ada", &["repo"])
        };
        Self {
            client,
            ada: credential(&token),
            token,
            remote: Remote {
                external_id: APP.to_string(),
                full_name: "acme/app".to_owned(),
                default_branch: "main".to_owned(),
            },
            github,
        }
    }

    /// Counts the requests with this method and this end of the path.
    pub(crate) fn count_requests(&self, method: &str, path: &str) -> usize {
        let world = self.github.world();
        let calls = world.calls.iter();
        calls
            .filter(|c| c.method == method && c.path.ends_with(path))
            .count()
    }

    /// Returns the permissions that the client reports as missing.
    pub(crate) async fn missing_permissions(&self, credential: &Credential) -> Vec<String> {
        let (remote, missing) = self
            .client
            .find_repository(credential, "acme/app")
            .await
            .unwrap();
        assert_eq!(remote, self.remote);
        assert!(
            missing.iter().all(|one| !one.needed_for.is_empty()),
            "{missing:?}"
        );
        missing.into_iter().map(|one| one.permission).collect()
    }

    /// Creates a fine-grained token.
    pub(crate) fn fine_token(&self, login: &str, may: &[(&str, &str)]) -> Credential {
        credential(&self.github.world().fine_token(login, APP, may))
    }

    /// Creates a classic token.
    pub(crate) fn classic_token(&self, login: &str, scopes: &[&str]) -> Credential {
        credential(&self.github.world().classic_token(login, scopes))
    }

    /// Installs an app in the repository.
    pub(crate) fn app(&self, may: &[(&str, &str)]) -> Credential {
        let installed = self.github.world().install("ck8s", &[APP], may);
        Credential::App {
            app_id: installed.app_id.to_string(),
            installation_id: installed.id.to_string(),
            private_key: installed.private_key.into(),
        }
    }
}

pub(crate) fn credential(token: &str) -> Credential {
    Credential::Token(token.to_owned().into())
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let exchanges = self.github.world().exchanges.take();
            api_description::check(&exchanges.unwrap_or_default());
        }
    }
}
