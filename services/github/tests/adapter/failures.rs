//! What fails for a moment, what fails for good, and that a write is never made twice.
use std::time::{Duration, Instant};

use ck8s_provider::{ProviderError, RepositoryProvider, Thread};
use ck8s_tests::Fault;

use crate::scene::{APP, Scene, pace};

const THREAD: Thread = Thread { number: 5 };
const MOMENTS: [Fault; 5] = [
    Fault::Status(500),
    Fault::Status(502),
    Fault::Status(503),
    Fault::Cut,
    Fault::Delay(Duration::from_secs(5)),
];

async fn read(scene: &Scene) -> Result<bool, ProviderError> {
    scene
        .adapter
        .may_write(&scene.ada, &scene.remote, "bob")
        .await
}

async fn write(scene: &Scene) -> Result<String, ProviderError> {
    scene
        .adapter
        .create_comment(&scene.ada, &scene.remote, &THREAD, "x")
        .await
}

#[tokio::test]
async fn a_read_survives_a_moment_and_ends_after_three() {
    for fault in MOMENTS {
        let scene = Scene::start().await;
        scene.github.world().switch_on("/permission", fault, 2);
        assert_eq!(read(&scene).await, Ok(true), "{fault:?}");
        scene.github.world().switch_on("/permission", fault, 3);
        let failed = read(&scene).await.unwrap_err();
        assert!(
            matches!(failed, ProviderError::Unavailable(_)),
            "{fault:?}: {failed:?}"
        );
        assert!(failed.passes());
        assert_eq!(read(&scene).await, Ok(true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_is_made_once_whatever_becomes_of_it() {
    for fault in MOMENTS {
        let scene = Scene::start().await;
        scene.github.world().switch_on("/comments", fault, 1);
        let since = Instant::now();
        let failed = write(&scene).await.unwrap_err();
        assert!(
            matches!(failed, ProviderError::Unavailable(_)),
            "{fault:?}: {failed:?}"
        );
        assert!(since.elapsed() < pace().deadline * 3, "{fault:?}");
        assert!(write(&scene).await.is_ok(), "{fault:?}");
        let said = scene.github.world().repository(APP).comments_in(5).len();
        assert_eq!(said, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_status_means_what_it_says() {
    let scene = Scene::start().await;
    let denied = ProviderError::Denied {
        what: "comment on issues and pull requests",
        permission: "Issues: Read and write",
    };
    let missing = ProviderError::NotFound("such issue, pull request or comment");
    let cases = [
        (401, ProviderError::Unauthenticated),
        (403, denied),
        (404, missing.clone()),
        (410, missing),
        (422, ProviderError::Invalid("Unicorn!".to_owned())),
        (
            500,
            ProviderError::Unavailable("it answered 500".to_owned()),
        ),
    ];
    for (status, expected) in cases {
        scene
            .github
            .world()
            .switch_on("/comments", Fault::Status(status), 1);
        assert_eq!(write(&scene).await, Err(expected), "{status}");
    }
    assert!(write(&scene).await.is_ok(), "and none is remembered");
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let scene = Scene::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let nobody = ck8s_github::GitHub::paced(&address, pace()).unwrap();
    let failed = nobody.actor(&scene.ada).await;
    let why = "connection refused".to_owned();
    assert_eq!(failed, Err(ProviderError::Unavailable(why)));
    for wrong in ["", "github", "/api/v3"] {
        let none = ck8s_github::GitHub::new(wrong).err();
        assert!(
            matches!(none, Some(ProviderError::Invalid(_))),
            "{wrong}: {none:?}"
        );
    }
}
