//! Reading files at the head of a branch by ETag.
use ck8s_provider::{FileLookup, ProviderError, RepositoryProvider};

use crate::fixture::{APP, Fixture};

async fn fetch(
    fixture: &Fixture,
    path: &str,
    etag: Option<&str>,
) -> Result<FileLookup, ProviderError> {
    let (credential, remote) = (&fixture.ada, &fixture.remote);
    fixture
        .client
        .fetch_file(credential, remote, "main", path, etag)
        .await
}

fn found(fetched: FileLookup) -> (String, String, String) {
    match fetched {
        FileLookup::File { text, etag, commit } => (text, etag, commit),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_read_again_only_after_it_changed() {
    let fixture = Fixture::start().await;
    let (text, etag, commit) = found(fetch(&fixture, "services.yaml", None).await.unwrap());
    assert_eq!(text, "version: 1\n");
    assert_eq!(commit, fixture.github.world().repository(APP).head("main"));
    let left = fixture.github.world().left(&fixture.token);
    for _ in 0..3 {
        let again = fetch(&fixture, "services.yaml", Some(&etag)).await;
        assert_eq!(again, Ok(FileLookup::Unchanged));
    }
    fixture
        .github
        .world()
        .repository(APP)
        .push("main", &[("README.md", Some("hello"))]);
    let again = fetch(&fixture, "services.yaml", Some(&etag)).await;
    assert_eq!(again, Ok(FileLookup::Unchanged), "another file changed");
    assert_eq!(
        fixture.github.world().left(&fixture.token),
        left,
        "it cost nothing"
    );

    let long = "key: v\u{fc}\n".repeat(1000);
    let pushed = fixture
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", Some(&long))]);
    let (text, newer, commit) = found(fetch(&fixture, "services.yaml", Some(&etag)).await.unwrap());
    assert_eq!((text, commit), (long, pushed));
    assert_ne!(newer, etag);
    fixture
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", None)]);
    let gone = fetch(&fixture, "services.yaml", Some(&newer)).await;
    assert_eq!(gone, Ok(FileLookup::Missing));
}

#[tokio::test]
async fn branches_and_paths_may_be_called_anything() {
    let fixture = Fixture::start().await;
    let (branch, path) = ("feature/a b#c%", ".ck8s/my services?&#1.yaml");
    let pushed = fixture
        .github
        .world()
        .repository(APP)
        .push(branch, &[(path, Some("x"))]);
    let fetched = fixture
        .client
        .fetch_file(&fixture.ada, &fixture.remote, branch, path, None)
        .await;
    let (text, _, commit) = found(fetched.unwrap());
    assert_eq!((text.as_str(), commit), ("x", pushed));
}

#[tokio::test]
async fn a_missing_file_branch_or_permission_is_told_apart() {
    let fixture = Fixture::start().await;
    assert_eq!(
        fetch(&fixture, "other.yaml", None).await,
        Ok(FileLookup::Missing)
    );
    let nowhere = fixture
        .client
        .fetch_file(&fixture.ada, &fixture.remote, "gone", "x", None)
        .await;
    assert_eq!(nowhere, Err(ProviderError::NotFound("such branch")));
    fixture
        .github
        .world()
        .repository(APP)
        .push("main", &[("dir/file", Some("x"))]);
    let directory = fetch(&fixture, "dir", None).await;
    assert_eq!(
        directory,
        Err(ProviderError::Invalid("the path is a directory".to_owned()))
    );
    let blind = fixture.fine_token("ada", &[("metadata", "read")]);
    let denied = fixture
        .client
        .fetch_file(&blind, &fixture.remote, "main", "services.yaml", None)
        .await;
    assert_eq!(
        denied.unwrap_err().to_string(),
        "the credential may not read files: it needs Contents: Read-only"
    );
}

#[tokio::test]
async fn text_and_commit_belong_together_despite_a_push_in_between() {
    let fixture = Fixture::start().await;
    // The first answer is of the file before the push; a push comes before the second question.
    let (_, etag, _) = found(fetch(&fixture, "services.yaml", None).await.unwrap());
    fixture
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", Some("version: 2"))]);
    let slow = ck8s_tests::Fault::Delay(std::time::Duration::from_millis(200));
    fixture.github.world().switch_on("/branches/main", slow, 1);
    let reading = fetch(&fixture, "services.yaml", Some(&etag));
    let pushing = async {
        ck8s_tests::until("the file was read", async || {
            let read = fixture.count_requests("GET", "/contents/services.yaml");
            (read == 3).then_some(())
        })
        .await;
        fixture
            .github
            .world()
            .repository(APP)
            .push("main", &[("services.yaml", Some("version: 3"))])
    };
    let (read, pushed) = tokio::join!(reading, pushing);
    let (text, etag, commit) = found(read.unwrap());
    assert_eq!((text.as_str(), commit), ("version: 3", pushed));
    let (text, ..) = found(fetch(&fixture, "services.yaml", Some(&etag)).await.unwrap());
    assert_eq!(
        text, "version: 3",
        "the earlier ETag finds the file changed"
    );
}
