//! The files of pull requests and between commits, up to what GitHub states.
use std::time::Duration;

use ck8s_github::{GitHub as Client, GitHubConfig};
use ck8s_provider::{ChangeSet, ChangedFiles, ProviderError, RepositoryProvider};
use ck8s_tests::Fault;

use crate::fixture::{APP, Fixture, config, pull_request};

async fn files(fixture: &Fixture, change: ChangeSet) -> Result<ChangedFiles, ProviderError> {
    fixture
        .client
        .changed_files(&fixture.ada, &fixture.remote, &change)
        .await
}

fn between(base: &str, head: &str) -> ChangeSet {
    ChangeSet::Between {
        base: base.to_owned(),
        head: head.to_owned(),
    }
}

/// Pushes so many files, and returns the commits before and after.
fn push_many(fixture: &Fixture, count: usize) -> (String, String) {
    let names: Vec<String> = (0..count).map(|n| format!("many/{n:04}.txt")).collect();
    let files: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), Some("x"))).collect();
    let mut world = fixture.github.world();
    let repository = world.repository(APP);
    let before = repository.head("main");
    (before, repository.push("main", &files))
}

#[tokio::test]
async fn a_comparison_names_added_changed_removed_and_moved_files() {
    let fixture = Fixture::start().await;
    let (before, after) = {
        let mut world = fixture.github.world();
        let repository = world.repository(APP);
        repository.push(
            "main",
            &[
                ("src/a b#1.rs", Some("a")),
                ("src/old.rs", Some("moved")),
                ("gone", Some("g")),
            ],
        );
        let before = repository.head("main");
        let after = repository.push(
            "main",
            &[
                ("src/a b#1.rs", Some("b")),
                ("src/old.rs", None),
                ("lib/new.rs", Some("moved")),
                ("gone", None),
                ("added", Some("x")),
            ],
        );
        (before, after)
    };
    let changed = files(&fixture, between(&before, &after)).await.unwrap();
    assert!(changed.is_complete);
    assert_eq!(
        changed.paths,
        ["added", "gone", "lib/new.rs", "src/old.rs", "src/a b#1.rs"]
    );
    let same = files(&fixture, between(&after, &after)).await.unwrap();
    assert_eq!((same.paths.len(), same.is_complete), (0, true));
}

#[tokio::test]
async fn a_branch_may_be_the_base_and_a_commit_that_is_gone_has_no_files() {
    let fixture = Fixture::start().await;
    let head = {
        let mut world = fixture.github.world();
        let repository = world.repository(APP);
        repository.push("release/1 a", &[]);
        repository.push("main", &[("new", Some("x"))])
    };
    let changed = files(&fixture, between("release/1 a", &head))
        .await
        .unwrap();
    assert!(changed.is_complete && changed.paths.contains(&"new".to_owned()));
    let gone = files(&fixture, between(&"0".repeat(40), &head)).await;
    assert_eq!(gone, Ok(ChangedFiles::default()));
}

#[tokio::test]
async fn a_comparison_of_300_files_may_not_be_all() {
    let fixture = Fixture::start().await;
    for (count, is_complete) in [(299, true), (301, false)] {
        let (before, after) = push_many(&fixture, count);
        fixture.github.world().repository(APP).push("main", &[]);
        let changed = files(&fixture, between(&before, &after)).await.unwrap();
        assert_eq!(changed.is_complete, is_complete, "{count}");
        assert!(changed.paths.len() <= 300);
        // The next round starts without them.
        let names: Vec<String> = (0..count).map(|n| format!("many/{n:04}.txt")).collect();
        let gone: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), None)).collect();
        fixture.github.world().repository(APP).push("main", &gone);
    }
}

#[tokio::test]
async fn the_files_of_a_pull_request_are_read_page_by_page_up_to_githubs_bound() {
    let fixture = Fixture::start().await;
    for (count, pages, is_complete) in [(250, 3, true), (3_001, 30, false)] {
        let (before, after) = push_many(&fixture, count);
        {
            let mut world = fixture.github.world();
            world.calls.clear();
            let repository = world.repository(APP);
            repository.branches.insert("main".to_owned(), before);
            let mut offered = pull_request(Some(APP));
            offered.commit = after;
            repository.pull_requests.insert(6, offered);
        }
        let changed = files(&fixture, ChangeSet::PullRequest(6)).await.unwrap();
        assert_eq!(changed.paths.len(), count.min(3_000));
        assert_eq!(changed.is_complete, is_complete, "{count}");
        assert_eq!(fixture.count_requests("GET", "/pulls/6/files"), pages);
    }
    assert_eq!(
        files(&fixture, ChangeSet::PullRequest(77)).await,
        Err(ProviderError::NotFound("such pull request"))
    );
}

/// Callers wait for seconds: pages that take longer would be read again and again.
#[tokio::test]
async fn what_has_not_come_in_time_is_not_known() {
    let fixture = Fixture::start().await;
    let (before, after) = push_many(&fixture, 3_000);
    let compared = format!("{before}...{after}");
    {
        let mut world = fixture.github.world();
        let never = Fault::Delay(Duration::from_secs(60));
        world.switch_on(&compared, never, 1);
        let repository = world.repository(APP);
        repository
            .branches
            .insert("main".to_owned(), before.clone());
        let mut offered = pull_request(Some(APP));
        offered.commit = after.clone();
        repository.pull_requests.insert(6, offered);
        world.calls.clear();
        let slow = Fault::Delay(Duration::from_millis(100));
        world.switch_on("/pulls/6/files", slow, 30);
    }
    let hurried = GitHubConfig {
        files_timeout: Duration::from_millis(500),
        ..config()
    };
    let client = Client::with_config(&fixture.github.api_url(), hurried).unwrap();
    let change = ChangeSet::PullRequest(6);
    let changed = client.changed_files(&fixture.ada, &fixture.remote, &change);
    let changed = changed.await.unwrap();
    assert!(!changed.is_complete && changed.paths.len() <= 500);
    assert!(fixture.count_requests("GET", "/pulls/6/files") <= 6);
    let compared = between(&before, &after);
    let unknown = client.changed_files(&fixture.ada, &fixture.remote, &compared);
    assert_eq!(unknown.await, Ok(ChangedFiles::default()));
}

#[tokio::test]
async fn a_credential_that_may_not_read_says_which_permission_it_needs() {
    let fixture = Fixture::start().await;
    let blind = fixture.fine_token("ada", &[("metadata", "read")]);
    for (change, permission) in [
        (between("main", "main"), "Contents"),
        (ChangeSet::PullRequest(6), "Pull requests"),
    ] {
        let client = &fixture.client;
        let denied = client.changed_files(&blind, &fixture.remote, &change).await;
        let text = denied.unwrap_err().to_string();
        assert!(text.contains(permission), "{text}");
    }
}

#[tokio::test]
async fn a_diff_that_github_cannot_make_is_not_waited_for_unless_github_is_away() {
    let fixture = Fixture::start().await;
    let (before, after) = push_many(&fixture, 1);
    let compared = format!("{before}...{after}");
    for status in [500, 422, 503] {
        let retries = 10;
        let fault = Fault::Status(status);
        fixture.github.world().switch_on(&compared, fault, retries);
        let changed = files(&fixture, between(&before, &after)).await;
        assert_eq!(changed, Ok(ChangedFiles::default()), "{status}");
        fixture.github.world().switch_off();
    }
    for path in [compared.as_str(), "/repos/acme/app"] {
        fixture
            .github
            .world()
            .switch_on(path, Fault::Status(503), 10);
    }
    let away = files(&fixture, between(&before, &after)).await;
    assert_eq!(
        away,
        Err(ProviderError::Unavailable("it answered 503".to_owned()))
    );
}
