//! Statuses, comments, reactions.
use ck8s_provider::{CommitState, CommitStatus, ProviderError, RepositoryProvider, Thread};

use crate::fixture::{ADA, ALL_PERMISSIONS, APP, Fixture};

const THREAD: Thread = Thread { number: 5 };
const MARKER: &str = "<!-- ck8s:run -->";

fn status(state: CommitState, description: &str) -> CommitStatus {
    CommitStatus {
        state,
        context: "ck8s/label".to_owned(),
        description: description.to_owned(),
        url: "https://ck8s.test/runs/1".to_owned(),
    }
}

#[tokio::test]
async fn the_latest_status_of_a_context_counts() {
    let fixture = Fixture::start().await;
    let sha = fixture.github.world().repository(APP).head("main");
    let set = async |sha: &str, status: &CommitStatus| {
        fixture
            .client
            .set_status(&fixture.ada, &fixture.remote, sha, status)
            .await
    };
    for state in [
        CommitState::Pending,
        CommitState::Failure,
        CommitState::Error,
        CommitState::Success,
    ] {
        set(&sha, &status(state, "as it is")).await.unwrap();
    }
    let long = "\u{e4}".repeat(500);
    let other = CommitStatus {
        context: "ck8s/other".to_owned(),
        ..status(CommitState::Pending, &long)
    };
    set(&sha, &other).await.unwrap();
    let shown = fixture.github.world().repository(APP).shown_statuses(&sha);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown["ck8s/label"].state, "success");
    assert_eq!(shown["ck8s/label"].target_url, "https://ck8s.test/runs/1");
    assert_eq!(shown["ck8s/other"].description.chars().count(), 140);
    let unknown = set(&"1".repeat(40), &other).await.unwrap_err();
    assert!(
        unknown.to_string().contains("No commit found for SHA"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_comment_is_created_found_and_updated() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    for (credential, written) in [(fixture.ada.clone(), 1), (fixture.app(&ALL_PERMISSIONS), 2)] {
        let find = async || {
            client
                .find_comment(&credential, &fixture.remote, &THREAD, MARKER)
                .await
        };
        // Somebody else writes a comment with our marker.
        {
            let mut world = fixture.github.world();
            let id = world.next_id();
            world
                .repository(APP)
                .say(id, 5, 11, &format!("{MARKER} click here"));
        }
        assert_eq!(find().await, Ok(None));
        let body = format!("{MARKER}\nrunning");
        let id = client
            .create_comment(&credential, &fixture.remote, &THREAD, &body)
            .await
            .unwrap();
        assert_eq!(find().await, Ok(Some(id.clone())));
        client
            .update_comment(&credential, &fixture.remote, &id, "done")
            .await
            .unwrap();
        let comments = fixture.github.world().repository(APP).comments_in(5);
        let ours: Vec<_> = comments.iter().filter(|c| c.by != 11).collect();
        assert_eq!(ours.len(), written);
        let last = ours.last().unwrap();
        assert_eq!((last.body.as_str(), last.edits), ("done", 1));
        fixture
            .github
            .world()
            .repository(APP)
            .comments
            .retain(|c| c.id.to_string() != id || written == 1);
    }
    let gone = client
        .update_comment(&fixture.ada, &fixture.remote, "1", "x")
        .await;
    assert_eq!(
        gone,
        Err(ProviderError::NotFound(
            "such issue, pull request or comment"
        ))
    );
    let nowhere = Thread { number: 99 };
    let nowhere = client
        .create_comment(&fixture.ada, &fixture.remote, &nowhere, "x")
        .await;
    assert!(
        matches!(nowhere, Err(ProviderError::NotFound(_))),
        "{nowhere:?}"
    );
    let empty = client
        .create_comment(&fixture.ada, &fixture.remote, &THREAD, " ")
        .await;
    assert_eq!(
        empty,
        Err(ProviderError::Invalid(
            "Validation Failed; body can't be blank".to_owned()
        ))
    );
}

#[tokio::test]
async fn a_repeated_reaction_is_kept_once() {
    let fixture = Fixture::start().await;
    let id = {
        let mut world = fixture.github.world();
        let id = world.next_id();
        world.repository(APP).say(id, 5, 8, "/run")
    };
    let comment = id.to_string();
    for _ in 0..2 {
        fixture
            .client
            .acknowledge(&fixture.ada, &fixture.remote, &comment)
            .await
            .unwrap();
    }
    let comments = fixture.github.world().repository(APP).comments_in(5);
    let expected = [(ADA, "eyes".to_owned())];
    assert_eq!(comments[0].reactions, expected);
    let gone = fixture
        .client
        .acknowledge(&fixture.ada, &fixture.remote, "1")
        .await;
    assert!(matches!(gone, Err(ProviderError::NotFound(_))), "{gone:?}");
}
