//! A GitHub with some people and a repository, and the adapter before it.
use std::time::Duration;

use ck8s_github::{GitHub as Adapter, Pace};
use ck8s_provider::{Credential, Remote, RepositoryProvider};
use ck8s_tests::{Account, GitHub, GitHubWorld, github::Repository};

use crate::description;

pub const APP: u64 = 7001;
pub const ADA: u64 = 7;
/// What an app needs in a repository.
pub const EVERYTHING: [(&str, &str); 6] = [
    ("metadata", "read"),
    ("contents", "read"),
    ("repository_hooks", "write"),
    ("statuses", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
];

/// One of a test's own.
pub struct Scene {
    pub github: GitHub,
    pub adapter: Adapter,
    /// Ada's classic token, with the scope `repo`.
    pub token: String,
    pub ada: Credential,
    pub remote: Remote,
}

/// In a hurry: tests do not wait.
pub fn pace() -> Pace {
    Pace {
        deadline: Duration::from_millis(500),
        pause: Duration::from_millis(1),
        burst: 1000,
        ..Pace::default()
    }
}

impl Scene {
    pub async fn start() -> Self {
        let repository = Repository::new(APP, "acme/app")
            .with("ada", "admin")
            .with("bob", "write")
            .with("mae", "maintain")
            .with("tim", "triage")
            .file("services.yaml", "version: 1\n")
            .thread(5);
        let person = |id, login: &str| Account::new(id, login, &format!("{login}@example.test"));
        let world = GitHubWorld::new("http://127.0.0.1/callback")
            .with(person(ADA, "ada"))
            .with(person(8, "bob"))
            .with(person(9, "mae"))
            .with(person(10, "tim"))
            .with(person(11, "eve"))
            .having(repository);
        let github = GitHub::start(world).await;
        let adapter = Adapter::paced(&github.api_url(), pace()).unwrap();
        let token = {
            let mut world = github.world();
            world.exchanges = Some(Vec::new());
            world.classic_token("ada", &["repo"])
        };
        Self {
            adapter,
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

    /// How often something was asked: a method and the end of a path.
    pub fn asked(&self, method: &str, path: &str) -> usize {
        let world = self.github.world();
        let calls = world.calls.iter();
        calls
            .filter(|c| c.method == method && c.path.ends_with(path))
            .count()
    }

    /// What the adapter says a credential lacks.
    pub async fn lacking(&self, credential: &Credential) -> Vec<String> {
        let (remote, lacking) = self.adapter.look_up(credential, "acme/app").await.unwrap();
        assert_eq!(remote, self.remote);
        assert!(
            lacking.iter().all(|l| !l.needed_for.is_empty()),
            "{lacking:?}"
        );
        lacking.into_iter().map(|l| l.permission).collect()
    }

    pub fn fine(&self, login: &str, may: &[(&str, &str)]) -> Credential {
        credential(&self.github.world().fine_token(login, APP, may))
    }

    pub fn classic(&self, login: &str, scopes: &[&str]) -> Credential {
        credential(&self.github.world().classic_token(login, scopes))
    }

    pub fn app(&self, may: &[(&str, &str)]) -> Credential {
        let installed = self.github.world().install("ck8s", &[APP], may);
        Credential::App {
            app_id: installed.app_id.to_string(),
            installation_id: installed.id.to_string(),
            private_key: installed.private_key.into(),
        }
    }
}

pub fn credential(token: &str) -> Credential {
    Credential::Token(token.to_owned().into())
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let exchanges = self.github.world().exchanges.take();
            description::check(&exchanges.unwrap_or_default());
        }
    }
}
