//! Limits by a clock that the tests move.
use std::net::IpAddr;

use governor::clock::FakeRelativeClock;

use super::*;

fn ip(text: &str) -> IpAddr {
    subscriber(text.parse().expect("an address"))
}

#[test]
fn each_address_has_its_own_limit_and_room_comes_back() {
    let clock = FakeRelativeClock::default();
    let rate = Rate::new(per_second(2), clock.clone());
    let passes = |address| rate.check(ip(address)).is_ok();
    assert!(passes("192.0.2.1") && passes("192.0.2.1") && !passes("192.0.2.1"));
    assert!(passes("192.0.2.2") && passes("::ffff:192.0.2.2") && !passes("192.0.2.2"));
    assert!(passes("2001:db8::1") && passes("2001:db8::2") && !passes("2001:db8::3"));
    assert!(passes("2001:db8:0:1::1"));
    clock.advance(Duration::from_millis(400));
    assert!(!passes("192.0.2.1"));
    clock.advance(Duration::from_millis(100));
    assert!(passes("192.0.2.1"));
    clock.advance(Duration::from_millis(100));
    assert!(!passes("192.0.2.1"));
}

#[test]
fn who_is_refused_learns_when_to_come_back() {
    let clock = FakeRelativeClock::default();
    let rate = Rate::new(per_minute(3), clock.clone());
    assert_eq!(rate.check("a"), Ok(()));
    let wait = rate.check("a").expect_err("one at once");
    assert_eq!(whole_seconds(wait), 20);
    clock.advance(wait - Duration::from_millis(1));
    assert!(rate.check("a").is_err());
    clock.advance(Duration::from_millis(1));
    assert_eq!(rate.check("a"), Ok(()));
    assert_eq!(whole_seconds(Duration::ZERO), 1);
}

#[test]
fn a_third_of_a_minutes_calls_may_come_at_once() {
    let rate = Rate::new(per_minute(9), FakeRelativeClock::default());
    assert!((0..3).all(|_| rate.check(()).is_ok()));
    assert!(rate.check(()).is_err());
}

#[test]
fn zero_is_no_limit() {
    let rate = Rate::per_minute(0);
    assert!((0..1_000).all(|_| rate.check(()).is_ok()));
}

#[test]
fn memory_is_bounded() {
    let rate = Rate::new(per_second(5), FakeRelativeClock::default());
    for n in 0..200_000_u32 {
        let _ = rate.check(n);
    }
    assert!(rate.limiter.read().len() <= MAX_KEYS);
}
