//! Files at the head of a branch, by ETag.
use ck8s_provider::{Fetched, ProviderError, RepositoryProvider};

use crate::scene::{APP, Scene};

async fn fetch(scene: &Scene, path: &str, etag: Option<&str>) -> Result<Fetched, ProviderError> {
    let (credential, remote) = (&scene.ada, &scene.remote);
    scene
        .adapter
        .file(credential, remote, "main", path, etag)
        .await
}

fn found(fetched: Fetched) -> (String, String, String) {
    match fetched {
        Fetched::File { text, etag, commit } => (text, etag, commit),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_read_again_only_when_it_has_changed() {
    let scene = Scene::start().await;
    let (text, etag, commit) = found(fetch(&scene, "services.yaml", None).await.unwrap());
    assert_eq!(text, "version: 1\n");
    assert_eq!(commit, scene.github.world().repository(APP).head("main"));
    let left = scene.github.world().left(&scene.token);
    for _ in 0..3 {
        let again = fetch(&scene, "services.yaml", Some(&etag)).await;
        assert_eq!(again, Ok(Fetched::Unchanged));
    }
    scene
        .github
        .world()
        .repository(APP)
        .push("main", &[("README.md", Some("hello"))]);
    let again = fetch(&scene, "services.yaml", Some(&etag)).await;
    assert_eq!(again, Ok(Fetched::Unchanged), "another file changed");
    assert_eq!(
        scene.github.world().left(&scene.token),
        left,
        "it cost nothing"
    );

    let long = "key: v\u{fc}\n".repeat(1000);
    let pushed = scene
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", Some(&long))]);
    let (text, newer, commit) = found(fetch(&scene, "services.yaml", Some(&etag)).await.unwrap());
    assert_eq!((text, commit), (long, pushed));
    assert_ne!(newer, etag);
    scene
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", None)]);
    let gone = fetch(&scene, "services.yaml", Some(&newer)).await;
    assert_eq!(gone, Ok(Fetched::Missing));
}

#[tokio::test]
async fn branches_and_paths_may_be_called_anything() {
    let scene = Scene::start().await;
    let (branch, path) = ("feature/a b#c%", ".ck8s/my services?&#1.yaml");
    let pushed = scene
        .github
        .world()
        .repository(APP)
        .push(branch, &[(path, Some("x"))]);
    let fetched = scene
        .adapter
        .file(&scene.ada, &scene.remote, branch, path, None)
        .await;
    let (text, _, commit) = found(fetched.unwrap());
    assert_eq!((text.as_str(), commit), ("x", pushed));
}

#[tokio::test]
async fn what_is_no_file_is_told_apart() {
    let scene = Scene::start().await;
    assert_eq!(
        fetch(&scene, "other.yaml", None).await,
        Ok(Fetched::Missing)
    );
    let nowhere = scene
        .adapter
        .file(&scene.ada, &scene.remote, "gone", "x", None)
        .await;
    assert_eq!(nowhere, Err(ProviderError::NotFound("such branch")));
    scene
        .github
        .world()
        .repository(APP)
        .push("main", &[("dir/file", Some("x"))]);
    let directory = fetch(&scene, "dir", None).await;
    assert_eq!(
        directory,
        Err(ProviderError::Invalid("the path is a directory".to_owned()))
    );
    let blind = scene.fine("ada", &[("metadata", "read")]);
    let denied = scene
        .adapter
        .file(&blind, &scene.remote, "main", "services.yaml", None)
        .await;
    assert_eq!(
        denied.unwrap_err().to_string(),
        "the credential may not read files: it needs Contents: Read-only"
    );
}

#[tokio::test]
async fn text_and_commit_belong_together_whatever_is_pushed_in_between() {
    let scene = Scene::start().await;
    // The first answer is of the file before the push; a push comes before the second question.
    let (_, etag, _) = found(fetch(&scene, "services.yaml", None).await.unwrap());
    scene
        .github
        .world()
        .repository(APP)
        .push("main", &[("services.yaml", Some("version: 2"))]);
    let slow = ck8s_tests::Fault::Delay(std::time::Duration::from_millis(200));
    scene.github.world().switch_on("/branches/main", slow, 1);
    let reading = fetch(&scene, "services.yaml", Some(&etag));
    let pushing = async {
        ck8s_tests::until("the file was read", async || {
            let read = scene.asked("GET", "/contents/services.yaml");
            (read == 3).then_some(())
        })
        .await;
        scene
            .github
            .world()
            .repository(APP)
            .push("main", &[("services.yaml", Some("version: 3"))])
    };
    let (read, pushed) = tokio::join!(reading, pushing);
    let (text, etag, commit) = found(read.unwrap());
    assert_eq!((text.as_str(), commit), ("version: 3", pushed));
    let (text, ..) = found(fetch(&scene, "services.yaml", Some(&etag)).await.unwrap());
    assert_eq!(
        text, "version: 3",
        "and the etag of before finds it changed"
    );
}
