//! Plans on a board alone: who gets a seat, and what comes back.
use ck8s_types::{Epoch, RunId};

use super::*;
use crate::domain::Place;

const POOL: PoolId = PoolId(1);

fn at(seq: i64) -> Place {
    Place { rank: 0, seq }
}

/// A board with one worker for so many runs, and a project with so many free slots.
fn board(capacity: i32, slots: i32) -> (Board, Lane) {
    let mut board = Board::default();
    board.learn_pools([(POOL, Vec::new())]);
    board.join(Session::fresh("w1", capacity).0);
    let lane = Lane {
        project: ProjectId::new(),
        pool: POOL,
    };
    board.slots.begin(lane.project);
    board.slots.learn(lane.project, slots, 1..=slots);
    (board, lane)
}

fn leased(want: &Want, seq: i64, seat: usize) -> Leased {
    Leased {
        run: RunId::new(),
        epoch: Epoch(1),
        slot: want.seats[seat].slot,
        lane: want.lane,
        place: at(seq),
        worker: want.seats[seat].worker.clone(),
    }
}

#[test]
fn a_plan_takes_no_more_than_there_are_slots_and_room() {
    let (mut board, lane) = board(5, 3);
    board.fair.opened(lane, at(1));
    let plan = board.plan().plan.unwrap();
    assert_eq!(plan.wants.len(), 1);
    assert_eq!(plan.wants[0].seats.len(), 3, "as many as slots");
    assert!(
        board.plan().plan.is_none(),
        "the lane is busy, the project full"
    );

    let claimed = Claimed::of(vec![leased(&plan.wants[0], 1, 0)], Vec::new());
    board.settle(&plan, &claimed);
    assert!(board.plan().plan.is_none(), "nothing more waits");
    board.fair.opened(lane, at(2));
    let plan = board.plan().plan.unwrap();
    assert_eq!(plan.wants[0].from, at(1));
    assert_eq!(plan.wants[0].seats.len(), 2, "the two that came back");
}

#[test]
fn a_slot_that_clashed_is_not_used_again_until_it_is_read() {
    let (mut board, lane) = board(5, 2);
    board.fair.opened(lane, at(1));
    let plan = board.plan().plan.unwrap();
    let clashed = plan.wants[0].seats[0].slot;
    board.settle(
        &plan,
        &Claimed::of(Vec::new(), vec![(lane.project, clashed)]),
    );
    let plan = board.plan().plan.expect("the lane is open still");
    let slots: Vec<i32> = plan.wants[0].seats.iter().map(|s| s.slot).collect();
    assert!(!slots.contains(&clashed));
    assert_eq!(plan.wants[0].from, at(0), "what clashed still waits");
    board.abandon(&plan);
    board.slots.take(lane.project);
    assert_eq!(board.plan().unknown, [lane.project], "to be read again");
}

#[test]
fn a_new_run_gets_a_seat_only_if_nothing_waits() {
    let (mut board, lane) = board(2, 4);
    let (seats, unknown) = board.seat([lane, lane, lane].into_iter());
    assert_eq!(
        seats.iter().flatten().count(),
        2,
        "as much as the worker has room"
    );
    assert!(unknown.is_empty());
    board.seated([lane, lane, lane].into_iter(), &seats, &[]);

    board.fair.opened(lane, at(1));
    assert!(
        board.seat([lane].into_iter()).0[0].is_none(),
        "another waits"
    );
    let plan = board.plan().plan.unwrap();
    assert!(
        board.seat([lane].into_iter()).0[0].is_none(),
        "a claim is under way"
    );
    board.settle(&plan, &Claimed::default());
    assert!(board.seat([lane].into_iter()).0[0].is_some());
    let other = Lane {
        project: ProjectId::new(),
        pool: POOL,
    };
    assert_eq!(board.seat([other].into_iter()).1, [other.project]);
}
