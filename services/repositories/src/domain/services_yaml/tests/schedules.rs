//! Triggers that are due at times.
use crate::domain::services_yaml::parse;

#[test]
fn a_schedule_has_an_expression_and_a_zone_and_no_other_event_has() {
    let at = |on: &str| {
        let text = format!(
            "version: 1\ntriggers:\n- name: a\n  run: {{command: x}}\n  on:\n{}",
            on.replace(';', "\n")
        );
        parse(&text).map(|mut services| services.triggers.remove(0))
    };
    let nightly = at("    event: schedule;    cron: 0 3 * * *;    timezone: Europe/Berlin");
    let nightly = nightly.expect("a schedule");
    assert_eq!(
        (nightly.cron.as_str(), nightly.timezone.as_str()),
        ("0 3 * * *", "Europe/Berlin")
    );
    let problem = |on: &str| at(on).expect_err(on).problem;
    assert!(
        problem("    event: schedule;    cron: 0 3 * *").starts_with(
            "line 7: triggers[0].on.cron: \"0 3 * *\" is not a cron expression of five fields"
        )
    );
    assert_eq!(
        problem("    event: schedule;    cron: 0 3 * * *;    timezone: Berlin"),
        "line 8: triggers[0].on.timezone: \"Berlin\" is not a time zone's name (Europe/Berlin)"
    );
    for time in ["cron: 0 3 * * *", "timezone: UTC"] {
        let refused = problem(&format!("    event: push;    {time}"));
        assert!(
            refused.ends_with("only the event schedule has a time"),
            "{refused}"
        );
    }
    assert!(
        at("    event: schedule").is_ok(),
        "a file of before stays good"
    );
}
