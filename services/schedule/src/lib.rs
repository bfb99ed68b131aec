#![doc = include_str!("../README.md")]
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use thiserror::Error;
use time::OffsetDateTime;

/// Bounds an expression: it is part of a row.
const MAX_CRON_BYTES: usize = 100;
/// The fields of an expression.
const FIELDS: usize = 5;

/// What is wrong with a schedule.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ScheduleError {
    /// The expression.
    #[error("is not a cron expression of five fields (minute, hour, day, month, weekday): {0}")]
    Cron(String),
    /// No time fits the expression: February has no 30th day.
    #[error("never comes: no day fits it")]
    Never,
    /// The time zone.
    #[error("is not a time zone's name (Europe/Berlin)")]
    TimeZone,
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads an expression and a time zone's name; an empty name is UTC.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, ScheduleError> {
        let zone = match timezone {
            "" => Tz::UTC,
            name => name.parse().map_err(|_| ScheduleError::TimeZone)?,
        };
        let invalid = |problem: &str| ScheduleError::Cron(problem.to_owned());
        if cron.len() > MAX_CRON_BYTES {
            return Err(invalid("longer than 100 bytes"));
        }
        if cron.contains('@') || cron.split_whitespace().count() != FIELDS {
            return Err(invalid("it must have five fields"));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(cron);
        let cron = cron.map_err(|error| invalid(&error.to_string()))?;
        let schedule = Self { cron, zone };
        match schedule.next_after(OffsetDateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never),
        }
    }

    /// Returns the first time after this one that is due.
    #[must_use]
    pub fn next_after(&self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        let next = self.cron.find_next_occurrence(&self.local(time)?, false);
        from_chrono(&next.ok()?)
    }

    /// Returns the last time up to and including this one that was due.
    #[must_use]
    pub fn last_until(&self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        let last = self.cron.find_previous_occurrence(&self.local(time)?, true);
        from_chrono(&last.ok()?)
    }

    fn local(&self, time: OffsetDateTime) -> Option<DateTime<Tz>> {
        let utc: DateTime<Utc> = DateTime::from_timestamp(time.unix_timestamp(), 0)?;
        Some(utc.with_timezone(&self.zone))
    }
}

fn from_chrono(time: &DateTime<Tz>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use time::{Duration, format_description::well_known::Rfc3339};

    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).expect("a time")
    }

    #[track_caller]
    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::parse(cron, zone).expect(cron)
    }

    #[test]
    fn a_schedule_follows_its_zone_over_changes_of_its_clock() {
        let daily = schedule("30 3 * * *", "Europe/Berlin");
        let winter = at("2026-11-27T12:00:00Z");
        assert_eq!(daily.next_after(winter), Some(at("2026-11-28T02:30:00Z")));
        assert_eq!(daily.last_until(winter), Some(at("2026-11-27T02:30:00Z")));
        let summer = at("2026-07-01T12:00:00Z");
        assert_eq!(daily.next_after(summer), Some(at("2026-07-02T01:30:00Z")));
        let utc = schedule("30 3 * * *", "");
        assert_eq!(utc.next_after(summer), Some(at("2026-07-02T03:30:00Z")));
        // 02:30 comes twice on 25 October 2026, and not at all on 29 March.
        let twice = schedule("30 2 * * *", "Europe/Berlin");
        let first = twice.next_after(at("2026-10-24T12:00:00Z")).expect("due");
        let second = twice.next_after(first).expect("due");
        assert!(second - first >= Duration::hours(23), "{first} {second}");
        let left_out = twice.next_after(at("2026-03-28T12:00:00Z")).expect("due");
        assert_eq!(left_out.date(), at("2026-03-29T00:00:00Z").date());
    }

    #[test]
    fn the_last_due_time_includes_the_time_that_is_asked_about() {
        let hourly = schedule("0 * * * *", "");
        let noon = at("2026-11-27T12:00:00Z");
        assert_eq!(hourly.last_until(noon), Some(noon));
        let next = hourly.next_after(noon);
        assert_eq!(next, Some(at("2026-11-27T13:00:00Z")));
        let later = noon + Duration::minutes(59);
        assert_eq!(hourly.last_until(later), Some(noon));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for good in [
            "* * * * *",
            "*/5 9-17 * * MON-FRI",
            "0 0 1 1 *",
            "0 0 29 2 *",
        ] {
            assert!(Schedule::parse(good, "America/New_York").is_ok(), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "@daily",
            "60 * * * *",
            "a b c d e",
            "0 0 32 * *",
        ] {
            let refused = Schedule::parse(bad, "").map(|_| ());
            assert!(
                matches!(refused, Err(ScheduleError::Cron(_))),
                "{bad}: {refused:?}"
            );
        }
        let long = format!("{} * * * *", "1,".repeat(100));
        assert!(Schedule::parse(&long, "").is_err());
        let never = Schedule::parse("0 0 30 2 *", "").map(|_| ());
        assert_eq!(never, Err(ScheduleError::Never));
        for zone in ["Berlin", "europe/berlin", "UTC+1", "../UTC"] {
            let refused = Schedule::parse("* * * * *", zone).map(|_| ());
            assert_eq!(refused, Err(ScheduleError::TimeZone), "{zone}");
        }
    }
}
