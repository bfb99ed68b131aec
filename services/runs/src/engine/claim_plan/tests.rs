//! Plans on a scheduler alone: which runs get a worker and a slot, and what comes back.
use ck8s_types::{Epoch, InstanceId, LeaseRef, RunId, RunReason, RunSpec, RunTrigger};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::*;
use crate::{
    domain::{
        ExecutorDomain, Grant, GrantPurpose, NewRun, ProjectSlots, QueuePosition, QueuedRun,
        Registration, ServerFrame, WorkerHello,
    },
    error::RunsError,
};

const POOL: PoolId = PoolId(1);

fn at(seq: i64) -> QueuePosition {
    QueuePosition { rank: 0, seq }
}

/// The session of a worker that has just connected.
fn session(worker: &str, capacity: i32) -> WorkerSession {
    session_to(mpsc::unbounded_channel().0, worker, capacity)
}

type Frames = mpsc::UnboundedSender<Result<ServerFrame, RunsError>>;

/// The session of a worker whose frames go here.
fn session_to(frames: Frames, worker: &str, capacity: i32) -> WorkerSession {
    let hello = WorkerHello {
        id: worker.parse().unwrap(),
        instance: InstanceId::new(),
        executor: "process".to_owned(),
        domain: ExecutorDomain::of("process", &[]).unwrap(),
        labels: Vec::new(),
        capacity,
        version: String::new(),
    };
    let registration = Registration {
        draining: false,
        lease_until: OffsetDateTime::now_utc(),
        resumed: false,
        predecessor_until: None,
    };
    WorkerSession::new(hello, registration, frames)
}

/// A scheduler with one worker of this capacity, and a project with this many free slots.
fn scheduler(capacity: i32, slots: i32) -> (Scheduler, Lane) {
    let mut scheduler = Scheduler::default();
    scheduler.add_pools([(POOL, Vec::new())]);
    scheduler.add_session(session("w1", capacity));
    let lane = Lane {
        project: ProjectId::new(),
        pool: POOL,
    };
    scheduler.slots.begin_load(lane.project);
    scheduler.slots.finish_load(ProjectSlots {
        project: lane.project,
        count: slots,
        free: (1..=slots).map(Slot::from).collect(),
    });
    (scheduler, lane)
}

fn lease(claim: &LaneClaim, seq: i64, placement: usize) -> NewLease {
    NewLease {
        lease: LeaseRef {
            run_id: RunId::new(),
            epoch: Epoch(1),
        },
        slot: claim.placements[placement].slot,
        lane: claim.lane,
        position: at(seq),
        worker: claim.placements[placement].worker.clone(),
    }
}

fn claim(leases: Vec<NewLease>, conflicts: Vec<(Lane, Slot)>) -> ClaimResult {
    ClaimResult { leases, conflicts }
}

#[test]
fn a_plan_takes_no_more_than_there_are_slots_and_room() {
    let (mut scheduler, lane) = scheduler(5, 3);
    scheduler.queue.push(lane, at(1));
    let plan = scheduler.plan().plan.unwrap();
    assert_eq!(plan.lanes.len(), 1);
    assert_eq!(plan.lanes[0].placements.len(), 3, "as many as slots");
    assert!(
        scheduler.plan().plan.is_none(),
        "the lane is busy, the project full"
    );

    let made = claim(vec![lease(&plan.lanes[0], 1, 0)], Vec::new());
    scheduler.settle(&plan, &made);
    assert!(scheduler.plan().plan.is_none(), "nothing more waits");
    scheduler.queue.push(lane, at(2));
    let plan = scheduler.plan().plan.unwrap();
    assert_eq!(plan.lanes[0].after, at(1));
    assert_eq!(plan.lanes[0].placements.len(), 2, "the two that came back");
}

#[test]
fn a_slot_in_conflict_is_not_used_again_until_it_is_read() {
    let (mut scheduler, lane) = scheduler(5, 2);
    scheduler.queue.push(lane, at(1));
    let plan = scheduler.plan().plan.unwrap();
    let conflict = plan.lanes[0].placements[0].slot;
    scheduler.settle(&plan, &claim(Vec::new(), vec![(lane, conflict)]));
    let plan = scheduler.plan().plan.expect("the lane is open still");
    let slots: Vec<Slot> = plan.lanes[0].placements.iter().map(|s| s.slot).collect();
    assert!(!slots.contains(&conflict));
    assert_eq!(
        plan.lanes[0].after,
        at(0),
        "the run without a slot still waits"
    );
    scheduler.abandon(&plan);
    scheduler.slots.take(lane.project);
    assert_eq!(scheduler.plan().unknown, [lane.project], "to be read again");
}

#[test]
fn a_new_run_is_placed_only_if_no_other_run_waits() {
    let (mut scheduler, lane) = scheduler(2, 4);
    let placed = scheduler.place([lane, lane, lane].into_iter());
    assert_eq!(
        placed.placements.iter().flatten().count(),
        2,
        "as much as the worker has room"
    );
    assert!(placed.unknown.is_empty());
    scheduler.settle_placements([lane, lane, lane].into_iter(), &placed.placements, &[]);

    scheduler.queue.push(lane, at(1));
    assert!(
        scheduler.place([lane].into_iter()).placements[0].is_none(),
        "another waits"
    );
    let plan = scheduler.plan().plan.unwrap();
    assert!(
        scheduler.place([lane].into_iter()).placements[0].is_none(),
        "a claim is under way"
    );
    scheduler.settle(&plan, &ClaimResult::default());
    assert!(scheduler.place([lane].into_iter()).placements[0].is_some());
    let other = Lane {
        project: ProjectId::new(),
        pool: POOL,
    };
    assert_eq!(
        scheduler.place([other].into_iter()).unknown,
        [other.project]
    );
}

/// A grant of a lease that was just made.
fn grant(lease: &NewLease) -> Grant {
    Grant {
        lease: lease.lease,
        slot: lease.slot,
        worker: lease.worker.clone(),
        purpose: GrantPurpose::Start,
        run: NewRun {
            id: lease.lease.run_id,
            project: lease.lane.project,
            repository: None,
            repository_name: String::new(),
            delivery: None,
            trigger: RunTrigger::default(),
            spec: RunSpec::default(),
            retry_of: None,
            pool: POOL,
            actor: String::new(),
        }
        .pending(OffsetDateTime::now_utc()),
        project_slug: "shop".to_owned(),
        lease_until: OffsetDateTime::now_utc(),
        running: None,
    }
}

#[test]
fn a_run_that_is_canceled_before_its_grant_is_not_started() {
    let (mut scheduler, lane) = scheduler(3, 3);
    let (frames, mut sent) = mpsc::unbounded_channel();
    scheduler.add_session(session_to(frames, "w1", 3));
    for seq in 1..=3 {
        scheduler.run_queued(QueuedRun {
            lane,
            position: at(seq),
        });
    }
    let plan = scheduler
        .plan()
        .plan
        .expect("runs wait, and slots are free");
    let leases: Vec<NewLease> = (0..3).map(|i| lease(&plan.lanes[0], 1, i)).collect();
    let worker = leases[0].worker.clone();
    // The first one is canceled before this process knows that the claim was made, the second one after that.
    scheduler.cancel(&worker, leases[0].lease, RunReason::CanceledByUser);
    for lease in &leases {
        scheduler.add_lease(&worker, lease.lease, lane.project);
    }
    scheduler.cancel(&worker, leases[1].lease, RunReason::Superseded);
    for lease in &leases {
        scheduler.session(&worker).unwrap().grant(grant(lease));
    }
    scheduler.cancel(&worker, leases[2].lease, RunReason::CanceledByUser);
    let mut purposes = Vec::new();
    let mut last_cancel = None;
    while let Ok(Ok(frame)) = sent.try_recv() {
        match frame {
            ServerFrame::Grant(grant) => purposes.push(grant.purpose),
            ServerFrame::Cancel { lease, .. } => last_cancel = Some(lease),
            _ => {}
        }
    }
    let expected = [
        GrantPurpose::CleanUp,
        GrantPurpose::CleanUp,
        GrantPurpose::Start,
    ];
    assert_eq!(purposes, expected);
    assert_eq!(
        last_cancel,
        Some(leases[2].lease),
        "the worker knows of this one"
    );
}
