//! Tests of the lease table: what is sent, when, and under which epoch.
use ck8s_proto::runs::v1::Finished;

use super::*;

fn in_a_minute() -> Moment {
    Moment::now() + Duration::from_secs(60)
}

fn lease(run_id: RunId, epoch: i64) -> LeaseRef {
    LeaseRef {
        run_id,
        epoch: Epoch(epoch),
    }
}

fn enter(table: &LeaseTable, lease: LeaseRef, expiry: Moment) -> (LeaseKey, Arc<LeaseSignals>) {
    match table.enter_grant(lease, 1, expiry) {
        GrantOutcome::New(key, signals) => (key, signals),
        GrantOutcome::Duplicate | GrantOutcome::Renewed => panic!("the lease is not new"),
    }
}

fn running() -> Change {
    Change::Running(Running::default())
}

fn epochs(sent: &[Transition]) -> Vec<i64> {
    sent.iter()
        .filter_map(|t| t.lease.as_ref())
        .map(|l| l.epoch)
        .collect()
}

#[test]
fn a_transition_is_resent_on_a_new_stream_until_it_is_acknowledged() {
    let table = LeaseTable::default();
    let (key, _) = enter(&table, lease(RunId::new(), 1), in_a_minute());
    table.report(key, running());
    let first = table.take_unsent(Moment::now());
    assert_eq!(first.len(), 1);
    assert!(table.take_unsent(Moment::now()).is_empty());
    table.resend(true);
    assert_eq!(table.take_unsent(Moment::now()), first);
    table.acknowledge(first[0].sequence);
    table.resend(true);
    assert!(table.take_unsent(Moment::now()).is_empty());
    assert!(!table.is_empty(), "Running does not end a lease");
    table.report(key, Change::Released(Released {}));
    let last = table.take_unsent(Moment::now());
    table.acknowledge(last[0].sequence);
    assert!(table.is_empty());
}

#[test]
fn nothing_is_sent_under_an_expired_lease_until_it_is_renewed() {
    let table = LeaseTable::default();
    let run_id = RunId::new();
    let (key, signals) = enter(&table, lease(run_id, 4), Moment::now());
    table.report(key, running());
    assert!(table.take_unsent(Moment::now()).is_empty());
    assert_eq!(table.live_lease(key), None);
    let expiry = in_a_minute();
    table.renew(&[lease(run_id, 3)], expiry);
    assert!(
        table.take_unsent(Moment::now()).is_empty(),
        "another epoch's lease was renewed"
    );
    table.renew(&table.leases(), expiry);
    assert_eq!(table.take_unsent(Moment::now()).len(), 1);
    assert_eq!(*signals.expiry.borrow(), expiry);
}

#[test]
fn everything_is_reported_again_under_a_new_epoch() {
    let table = LeaseTable::default();
    let run_id = RunId::new();
    let (key, signals) = enter(&table, lease(run_id, 1), in_a_minute());
    table.report(key, running());
    table.report(key, Change::Finished(Finished::default()));
    assert!(matches!(
        table.enter_grant(lease(run_id, 1), 1, in_a_minute()),
        GrantOutcome::Duplicate
    ));
    assert!(matches!(
        table.enter_grant(lease(run_id, 3), 1, in_a_minute()),
        GrantOutcome::Renewed
    ));
    let sent = table.take_unsent(Moment::now());
    assert_eq!(epochs(&sent), [3, 3]);
    assert!(matches!(&sent[0].change, Some(Change::Running(r)) if r.adopted));
    table.revoke(lease(run_id, 2));
    assert!(
        !signals.ended.is_cancelled(),
        "an older epoch's lease was revoked"
    );
    assert!(matches!(
        table.enter_grant(lease(run_id, 4), 2, in_a_minute()),
        GrantOutcome::New(..)
    ));
    assert!(
        signals.ended.is_cancelled(),
        "another attempt takes its place"
    );
}

#[test]
fn nothing_is_sent_about_a_revoked_lease() {
    let table = LeaseTable::default();
    let run_id = RunId::new();
    let (key, signals) = enter(&table, lease(run_id, 1), in_a_minute());
    table.report(key, running());
    table.revoke(lease(run_id, 1));
    table.report(key, Change::Released(Released {}));
    assert!(table.take_unsent(Moment::now()).is_empty());
    assert!(signals.ended.is_cancelled());
}
