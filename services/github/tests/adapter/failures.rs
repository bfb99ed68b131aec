//! Failures that pass and failures that stay; a write is never made twice.
use std::time::{Duration, Instant};

use ck8s_provider::{ProviderError, RepositoryProvider, Thread};
use ck8s_tests::Fault;

use crate::fixture::{APP, Fixture, config};

const THREAD: Thread = Thread { number: 5 };
const TRANSIENT_FAULTS: [Fault; 5] = [
    Fault::Status(500),
    Fault::Status(502),
    Fault::Status(503),
    Fault::Cut,
    Fault::Delay(Duration::from_secs(5)),
];

async fn read(fixture: &Fixture) -> Result<bool, ProviderError> {
    fixture
        .client
        .may_write(&fixture.ada, &fixture.remote, "bob")
        .await
}

async fn write(fixture: &Fixture) -> Result<String, ProviderError> {
    fixture
        .client
        .create_comment(&fixture.ada, &fixture.remote, &THREAD, "x")
        .await
}

#[tokio::test]
async fn a_read_is_retried_twice() {
    for fault in TRANSIENT_FAULTS {
        let fixture = Fixture::start().await;
        fixture.github.world().switch_on("/permission", fault, 2);
        assert_eq!(read(&fixture).await, Ok(true), "{fault:?}");
        fixture.github.world().switch_on("/permission", fault, 3);
        let failed = read(&fixture).await.unwrap_err();
        assert!(
            matches!(failed, ProviderError::Unavailable(_)),
            "{fault:?}: {failed:?}"
        );
        assert!(failed.is_transient());
        assert_eq!(read(&fixture).await, Ok(true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_is_made_once_however_it_fails() {
    for fault in TRANSIENT_FAULTS {
        let fixture = Fixture::start().await;
        fixture.github.world().switch_on("/comments", fault, 1);
        let since = Instant::now();
        let failed = write(&fixture).await.unwrap_err();
        assert!(
            matches!(failed, ProviderError::Unavailable(_)),
            "{fault:?}: {failed:?}"
        );
        assert!(since.elapsed() < config().request_timeout * 3, "{fault:?}");
        assert!(write(&fixture).await.is_ok(), "{fault:?}");
        let said = fixture.github.world().repository(APP).comments_in(5).len();
        assert_eq!(said, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn each_status_becomes_the_error_that_it_means() {
    let fixture = Fixture::start().await;
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
        fixture
            .github
            .world()
            .switch_on("/comments", Fault::Status(status), 1);
        assert_eq!(write(&fixture).await, Err(expected), "{status}");
    }
    assert!(write(&fixture).await.is_ok(), "and none is remembered");
}

#[tokio::test]
async fn a_wrong_address_is_reported() {
    let fixture = Fixture::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let unreachable = ck8s_github::GitHub::with_config(&address, config()).unwrap();
    let failed = unreachable.actor(&fixture.ada).await;
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
