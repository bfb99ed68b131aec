//! The schedules that were seen.
use time::{Duration, OffsetDateTime};

use super::{super::schedules, World, world};
use crate::domain::schedule::SeenSchedule;

fn seen(world: &World, trigger: &str, cron: &str, last_due: OffsetDateTime) -> SeenSchedule {
    SeenSchedule {
        repository_id: world.repository,
        trigger: trigger.to_owned(),
        cron: cron.to_owned(),
        timezone: String::new(),
        last_due,
    }
}

#[tokio::test]
async fn only_a_new_or_changed_schedule_begins_anew_and_one_that_is_gone_is_forgotten() {
    let world = world().await;
    let mut conn = world.pool.acquire().await.expect("a connection");
    let begin = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let later = begin + Duration::DAY;
    let first = [
        seen(&world, "a", "0 0 * * *", begin),
        seen(&world, "b", "0 0 * * *", begin),
    ];
    let mut stored = schedules::sync(&mut conn, &first).await.expect("stored");
    stored.sort_by(|one, other| one.trigger.cmp(&other.trigger));
    assert_eq!(stored, first);

    let due = begin + Duration::HOUR;
    schedules::fired(&mut conn, &first[0], due)
        .await
        .expect("noted");
    schedules::fired(&mut conn, &first[0], begin)
        .await
        .expect("noted");
    let again = [
        seen(&world, "a", "0 0 * * *", later),
        seen(&world, "b", "5 0 * * *", later),
    ];
    let mut stored = schedules::sync(&mut conn, &again).await.expect("stored");
    stored.sort_by(|one, other| one.trigger.cmp(&other.trigger));
    let unchanged = seen(&world, "a", "0 0 * * *", due);
    assert_eq!(stored, [unchanged, again[1].clone()]);

    // What was due with the expression of before moves nothing.
    schedules::fired(&mut conn, &first[1], later + Duration::DAY)
        .await
        .expect("noted");
    let stored = schedules::sync(&mut conn, &again[1..])
        .await
        .expect("stored");
    assert_eq!(stored, again[1..]);
    assert_eq!(schedules::sync(&mut conn, &[]).await.expect("stored"), []);
}
