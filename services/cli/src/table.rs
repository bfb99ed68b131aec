//! Tables, moments, durations and words for people.
use std::fmt;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use prost_types::Timestamp;
use time::OffsetDateTime;

use crate::output;

/// A table: a header and rows, no lines.
pub(crate) struct Rows {
    table: Table,
    coloured: bool,
}

impl Rows {
    /// An empty one.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // Ids are there to be copied: lines may be long, but never broken.
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(Cell::new));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self {
            table,
            coloured: output::coloured(),
        }
    }

    /// Adds a row; words for states get their colour.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.table.add_row(cells.map(|text| {
            let text = crate::fault::one_line(&text);
            match (self.coloured, colour(&text)) {
                (true, Some(colour)) => Cell::new(text).fg(colour),
                _ => Cell::new(if text.is_empty() { "-" } else { &text }),
            }
        }));
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table.trim_fmt())
    }
}

/// What people read about one thing: a name and a value a line, those without a value left out.
pub(crate) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let told = facts.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{name:width$}{}\n", crate::fault::one_line(value)))
        .collect()
}

fn colour(word: &str) -> Option<Color> {
    Some(match word {
        "pending" | "received" | "releasing" | "draining" => Color::Yellow,
        "running" | "leased" => Color::Blue,
        "succeeded" | "run created" | "connected" => Color::Green,
        "failed" | "disconnected" => Color::Red,
        "canceled" | "ignored" => Color::DarkGrey,
        _ => return None,
    })
}

/// An enum's name as people read it: `RUN_STATE_PENDING` without `RUN_STATE` is `pending`; unspecified is empty.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix).unwrap_or(name) {
        "_UNSPECIFIED" => String::new(),
        rest => rest
            .trim_start_matches('_')
            .to_lowercase()
            .replace('_', " "),
    }
}

/// `2026-11-23 10:11:12Z`; empty for none.
pub(crate) fn moment(at: Option<&Timestamp>) -> String {
    let Some(at) = at.and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds).ok()) else {
        return String::new();
    };
    let (date, (hour, minute, second)) = (at.date(), at.time().as_hms());
    format!("{date} {hour:02}:{minute:02}:{second:02}Z")
}

/// How long ago; empty for none.
pub(crate) fn age(at: Option<&Timestamp>) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    at.map_or_else(String::new, |at| span(now - at.seconds))
}

/// How long from one moment to another; up to now if it has not ended.
pub(crate) fn took(from: Option<&Timestamp>, to: Option<&Timestamp>) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    from.map_or_else(String::new, |from| {
        span(to.map_or(now, |to| to.seconds) - from.seconds)
    })
}

/// Seconds in the largest unit that says enough: `3s`, `4m`, `5h`, `6d`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ ..120 => format!("{s}s"),
        s @ ..7_200 => format!("{}m", s / 60),
        s @ ..172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_and_no_lines() {
        let mut rows = Rows::new(&["ID", "STATE"]);
        rows.row(["1".into(), "evil\u{1b}[31m\nword".into()]);
        rows.row(["222".into(), String::new()]);
        assert_eq!(rows.to_string(), "ID   STATE\n1    evil[31m word\n222  -");
    }

    #[test]
    fn words_and_moments_are_short() {
        assert_eq!(word("RUN_STATE_PENDING", "RUN_STATE"), "pending");
        assert_eq!(
            word("DELIVERY_STATE_RUN_CREATED", "DELIVERY_STATE"),
            "run created"
        );
        assert_eq!(word("RUN_REASON_UNSPECIFIED", "RUN_REASON"), "");
        let at = Timestamp {
            seconds: 1_764_000_000,
            nanos: 1,
        };
        assert_eq!(moment(Some(&at)), "2025-11-24 16:00:00Z");
        assert_eq!(
            [3, 119, 120, 7_300, 200_000].map(span),
            ["3s", "119s", "2m", "2h", "2d"]
        );
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let text = facts(&[
            ("Id", "1".into()),
            ("Nothing", String::new()),
            ("State", "free".into()),
        ]);
        assert_eq!(text, "Id       1\nState    free\n");
    }
}
