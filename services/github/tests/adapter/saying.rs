//! Statuses, comments, reactions.
use ck8s_provider::{CommitState, CommitStatus, ProviderError, RepositoryProvider, Thread};

use crate::scene::{ADA, APP, EVERYTHING, Scene};

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
    let scene = Scene::start().await;
    let sha = scene.github.world().repository(APP).head("main");
    let set = async |sha: &str, status: &CommitStatus| {
        scene
            .adapter
            .set_status(&scene.ada, &scene.remote, sha, status)
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
    let shown = scene.github.world().repository(APP).shown_statuses(&sha);
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
async fn a_comment_is_written_found_and_replaced() {
    let scene = Scene::start().await;
    let adapter = &scene.adapter;
    for (credential, written) in [(scene.ada.clone(), 1), (scene.app(&EVERYTHING), 2)] {
        let find = async || {
            adapter
                .find_comment(&credential, &scene.remote, &THREAD, MARKER)
                .await
        };
        // Somebody else writes our marker.
        {
            let mut world = scene.github.world();
            let id = world.next_id();
            world
                .repository(APP)
                .say(id, 5, 11, &format!("{MARKER} click here"));
        }
        assert_eq!(find().await, Ok(None));
        let body = format!("{MARKER}\nrunning");
        let id = adapter
            .create_comment(&credential, &scene.remote, &THREAD, &body)
            .await
            .unwrap();
        assert_eq!(find().await, Ok(Some(id.clone())));
        adapter
            .update_comment(&credential, &scene.remote, &id, "done")
            .await
            .unwrap();
        let comments = scene.github.world().repository(APP).comments_in(5);
        let ours: Vec<_> = comments.iter().filter(|c| c.by != 11).collect();
        assert_eq!(ours.len(), written);
        let last = ours.last().unwrap();
        assert_eq!((last.body.as_str(), last.edits), ("done", 1));
        scene
            .github
            .world()
            .repository(APP)
            .comments
            .retain(|c| c.id.to_string() != id || written == 1);
    }
    let gone = adapter
        .update_comment(&scene.ada, &scene.remote, "1", "x")
        .await;
    assert_eq!(
        gone,
        Err(ProviderError::NotFound(
            "such issue, pull request or comment"
        ))
    );
    let nowhere = Thread { number: 99 };
    let nowhere = adapter
        .create_comment(&scene.ada, &scene.remote, &nowhere, "x")
        .await;
    assert!(
        matches!(nowhere, Err(ProviderError::NotFound(_))),
        "{nowhere:?}"
    );
    let empty = adapter
        .create_comment(&scene.ada, &scene.remote, &THREAD, " ")
        .await;
    assert_eq!(
        empty,
        Err(ProviderError::Invalid(
            "Validation Failed; body can't be blank".to_owned()
        ))
    );
}

#[tokio::test]
async fn a_reaction_is_there_once() {
    let scene = Scene::start().await;
    let id = {
        let mut world = scene.github.world();
        let id = world.next_id();
        world.repository(APP).say(id, 5, 8, "/run")
    };
    let comment = id.to_string();
    for _ in 0..2 {
        scene
            .adapter
            .acknowledge(&scene.ada, &scene.remote, &comment)
            .await
            .unwrap();
    }
    let comments = scene.github.world().repository(APP).comments_in(5);
    let expected = [(ADA, "eyes".to_owned())];
    assert_eq!(comments[0].reactions, expected);
    let gone = scene
        .adapter
        .acknowledge(&scene.ada, &scene.remote, "1")
        .await;
    assert!(matches!(gone, Err(ProviderError::NotFound(_))), "{gone:?}");
}
