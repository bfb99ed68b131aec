//! What agents do and leave behind.
use ck8s_types::{ActivityKind, OutcomeKind, UsageSource};
use time::OffsetDateTime;

use super::*;
use crate::domain::{Activity, ActivityPlace, AgentOutcome, AgentProgress, Attempt, Usage};

fn activity(sequence: i64, title: &str) -> Activity {
    Activity {
        place: ActivityPlace {
            attempt: 1,
            sequence,
        },
        kind: ActivityKind::Tool,
        title: title.to_owned(),
        text: "output".to_owned(),
        happened_at: OffsetDateTime::UNIX_EPOCH,
        duration_ms: 5,
        exit_code: Some(1),
        failed: true,
    }
}

fn of(lease: &NewLease, number: i32) -> Attempt {
    Attempt {
        run: lease.lease.run_id,
        number,
    }
}

fn left(kind: OutcomeKind) -> AgentOutcome {
    AgentOutcome {
        kind,
        branch: "ck8s/12-fix".to_owned(),
        commit_sha: "c".repeat(40),
        base_sha: "b".repeat(40),
        files_changed: 1,
        title: "Fix it".to_owned(),
        summary: "It is fixed.".to_owned(),
    }
}

#[tokio::test]
async fn an_activity_that_is_sent_again_is_stored_once() {
    let world = world().await;
    let attempt = of(&world.running(1).await, 1);
    let mut conn = world.conn().await;
    let first = [activity(1, "ls"), activity(2, "make")];
    assert!(
        store::agents::append(&mut conn, attempt, &first)
            .await
            .unwrap()
    );
    let again = [activity(2, "other"), activity(3, "git diff")];
    assert!(
        store::agents::append(&mut conn, attempt, &again)
            .await
            .unwrap()
    );
    let start = ActivityPlace::default();
    let stored = store::agents::activities(&mut conn, attempt.run, start, 10)
        .await
        .unwrap();
    let expected = [
        activity(1, "ls"),
        activity(2, "make"),
        activity(3, "git diff"),
    ];
    assert_eq!(stored, expected);
    let rest = store::agents::activities(&mut conn, attempt.run, stored[1].place, 10)
        .await
        .unwrap();
    assert_eq!(rest, expected[2..]);
}

#[tokio::test]
async fn only_the_attempt_that_holds_the_lease_is_heard() {
    let world = world().await;
    let lease = world.running(1).await;
    let mut conn = world.conn().await;
    let other = of(&lease, 2);
    assert!(
        !store::agents::append(&mut conn, other, &[activity(1, "ls")])
            .await
            .unwrap()
    );
    let outcome = left(OutcomeKind::Changes);
    assert!(
        !store::agents::set_outcome(&mut conn, other, &outcome)
            .await
            .unwrap()
    );
    assert_eq!(
        store::agents::report(&mut conn, other.run).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_report_keeps_what_is_not_told_again() {
    let world = world().await;
    let attempt = of(&world.running(1).await, 1);
    let mut conn = world.conn().await;
    let usage = Usage {
        input_tokens: 1000,
        output_tokens: 50,
        cost_usd: Some(0.25),
        source: Some(UsageSource::Agent),
        ..Usage::default()
    };
    for progress in [
        AgentProgress {
            session_id: "s1".to_owned(),
            model: "m1".to_owned(),
            ..AgentProgress::default()
        },
        AgentProgress {
            usage: Some(usage.clone()),
            ..AgentProgress::default()
        },
    ] {
        store::agents::update_report(&mut conn, attempt, &progress)
            .await
            .unwrap();
    }
    let outcome = left(OutcomeKind::Changes);
    assert!(
        store::agents::set_outcome(&mut conn, attempt, &outcome)
            .await
            .unwrap()
    );
    let report = store::agents::report(&mut conn, attempt.run)
        .await
        .unwrap()
        .expect("there is one");
    assert_eq!(
        (report.session_id.as_str(), report.model.as_str()),
        ("s1", "m1")
    );
    assert_eq!((report.usage, report.outcome), (Some(usage), Some(outcome)));
}

#[tokio::test]
async fn a_prompt_is_kept_as_it_was_given_first() {
    let world = world().await;
    let attempt = of(&world.running(1).await, 1);
    let mut conn = world.conn().await;
    assert_eq!(
        store::agents::prompt(&mut conn, attempt).await.unwrap(),
        None
    );
    for _ in 0..2 {
        let kept = store::agents::keep_prompt(&mut conn, attempt, "do it")
            .await
            .unwrap();
        assert_eq!(kept, "do it");
    }
    let later = store::agents::keep_prompt(&mut conn, attempt, "do that")
        .await
        .unwrap();
    assert_eq!(later, "do it");
}

#[tokio::test]
async fn a_run_that_succeeds_without_a_change_says_so() {
    let world = world().await;
    for (number, kind, reason, expected) in [
        (
            1,
            OutcomeKind::NoChange,
            RunReason::Completed,
            RunReason::NoChange,
        ),
        (
            2,
            OutcomeKind::Changes,
            RunReason::Completed,
            RunReason::Completed,
        ),
        (
            3,
            OutcomeKind::NoChange,
            RunReason::AgentError,
            RunReason::AgentError,
        ),
    ] {
        let lease = world.running(number).await;
        let mut conn = world.conn().await;
        store::agents::set_outcome(&mut conn, of(&lease, 1), &left(kind))
            .await
            .unwrap();
        let state = match reason {
            RunReason::Completed => RunState::Succeeded,
            _ => RunState::Failed,
        };
        let outcome = outcome(state, reason);
        store::transitions::finished(&mut conn, &[(&holder(&lease), &outcome)])
            .await
            .unwrap();
        assert_eq!(world.run(lease.lease.run_id).await.reason, Some(expected));
    }
}
