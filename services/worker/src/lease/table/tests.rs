//! The table's promises: what is sent, when, and under which epoch.
use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn hold(table: &LeaseTable, run: RunId, epoch: i64, until: Instant) -> (LeaseKey, Arc<Control>) {
    match table.granted(run, Epoch(epoch), 1, until) {
        Granted::New(key, control) => (key, control),
        Granted::Known | Granted::Renewed => panic!("is new"),
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
    let (key, _) = hold(&table, RunId::new(), 1, soon());
    table.report(key, running());
    let first = table.to_send(Instant::now());
    assert_eq!(first.len(), 1);
    assert!(table.to_send(Instant::now()).is_empty());
    table.resend();
    assert_eq!(table.to_send(Instant::now()), first);
    table.acknowledged(first[0].sequence);
    table.resend();
    assert!(table.to_send(Instant::now()).is_empty());
    assert!(!table.is_empty(), "running is not the end");
    table.report(key, Change::Released(Released {}));
    let last = table.to_send(Instant::now());
    table.acknowledged(last[0].sequence);
    assert!(table.is_empty());
}

#[test]
fn nothing_is_sent_past_the_lease_until_it_is_renewed() {
    let table = LeaseTable::default();
    let run = RunId::new();
    let (key, control) = hold(&table, run, 4, Instant::now());
    table.report(key, running());
    assert!(table.to_send(Instant::now()).is_empty());
    assert_eq!(table.live_epoch(key), None);
    let until = soon();
    table.renewed(
        &[LeaseRef {
            run_id: run.to_string(),
            epoch: 3,
        }],
        until,
    );
    assert!(table.to_send(Instant::now()).is_empty(), "another epoch's");
    table.renewed(&table.refs(), until);
    assert_eq!(table.to_send(Instant::now()).len(), 1);
    assert_eq!(*control.until.borrow(), until);
}

#[test]
fn granted_again_it_is_reported_again_under_the_new_epoch() {
    let table = LeaseTable::default();
    let run = RunId::new();
    let (key, control) = hold(&table, run, 1, soon());
    table.report(key, running());
    table.report(
        key,
        Change::Finished(ck8s_proto::runs::v1::Finished::default()),
    );
    assert!(matches!(
        table.granted(run, Epoch(1), 1, soon()),
        Granted::Known
    ));
    assert!(matches!(
        table.granted(run, Epoch(3), 1, soon()),
        Granted::Renewed
    ));
    let sent = table.to_send(Instant::now());
    assert_eq!(epochs(&sent), [3, 3]);
    assert!(matches!(&sent[0].change, Some(Change::Running(r)) if r.adopted));
    table.revoked(run, Epoch(2));
    assert!(!control.let_go.is_cancelled(), "an older epoch's revoke");
    assert!(matches!(
        table.granted(run, Epoch(4), 2, soon()),
        Granted::New(..)
    ));
    assert!(
        control.let_go.is_cancelled(),
        "another attempt takes its place"
    );
}

#[test]
fn a_revoked_lease_says_nothing_more() {
    let table = LeaseTable::default();
    let run = RunId::new();
    let (key, control) = hold(&table, run, 1, soon());
    table.report(key, running());
    table.revoked(run, Epoch(1));
    table.report(key, Change::Released(Released {}));
    assert!(table.to_send(Instant::now()).is_empty());
    assert!(control.let_go.is_cancelled());
}
