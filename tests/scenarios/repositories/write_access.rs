//! Who may trigger: GitHub is asked, and may be away or take no requests.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_a_state_and_no_failure() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let limit = Fault::Spent(Duration::from_secs(8));
    github
        .world()
        .switch_on("/collaborators/ada/permission", limit, 1);
    let payload = comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    let waits = until("the delivery says what it waits for", async || {
        let all = world.admin.all_deliveries().await;
        all.into_iter()
            .find(|d| d.sender == "ada" && !d.reason.is_empty())
    })
    .await;
    assert_eq!(waits.state(), DeliveryState::Received, "{waits:?}");
    assert!(
        waits.reason.contains("waits for GitHub until "),
        "{waits:?}"
    );
    let limited = get(&world, "acme/one").await;
    assert!(limited.wait_until.is_some(), "{limited:?}");
    let found = check(&world, "acme/one").await;
    let rate = found.iter().find(|f| f.0 == "rate_limit").unwrap();
    assert!(rate.2.starts_with("waits for GitHub until "), "{rate:?}");
    assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    let ran = handled(&world, "issue_comment", "ada").await;
    assert_eq!(ran.state(), DeliveryState::RunCreated, "{ran:?}");
    assert_eq!(ran.reason, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_without_write_access_trigger_nothing_and_an_absent_github_is_waited_for() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let say = async |login: &str, kind: &str| {
        let payload = comment(501, "acme/one", login, kind);
        assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    };
    say("bob", "User").await;
    let bob = handled(&world, "issue_comment", "bob").await;
    assert_eq!(bob.state(), DeliveryState::Ignored);
    assert!(bob.reason.contains("needs write access"), "{}", bob.reason);
    say("robot", "User").await;
    let own = handled(&world, "issue_comment", "robot").await;
    assert_eq!(own.state(), DeliveryState::Ignored);
    assert!(own.reason.contains("ck8s itself"), "{}", own.reason);
    say("dependabot[bot]", "Bot").await;
    let bot = handled(&world, "issue_comment", "dependabot[bot]").await;
    assert_eq!(bot.state(), DeliveryState::Ignored);

    let path = "/collaborators/ada/permission";
    github.world().switch_on(path, Fault::Status(500), 4);
    say("ada", "User").await;
    until("a request to GitHub failed", async || {
        let world = github.world();
        let mut calls = world.calls.iter();
        calls
            .any(|call| call.path.ends_with(path) && call.status == 500)
            .then_some(())
    })
    .await;
    let all = world.admin.all_deliveries().await;
    let ada = all.iter().find(|d| d.sender == "ada").unwrap();
    let waits = [DeliveryState::Received, DeliveryState::RunCreated];
    assert!(waits.contains(&ada.state()), "{}", ada.reason);
    until("its run is made", async || {
        let runs = world.admin.all_runs("").await;
        runs.into_iter()
            .find(|run| run.trigger.as_ref().is_some_and(|t| t.comment_id == "4711"))
    })
    .await;
}
