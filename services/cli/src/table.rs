//! Tables, key-value lists, times, durations and enum labels, as people read them.
use std::fmt;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use prost_types::Timestamp;
use time::OffsetDateTime;

use crate::{terminal::stdout_has_color, text::one_line};

/// A table with a header and no ruling.
pub(crate) struct TextTable {
    table: Table,
    colored: bool,
}

impl TextTable {
    /// Makes an empty table.
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // People copy ids: a line may be long, but it is never broken.
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(Cell::new));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self {
            table,
            colored: stdout_has_color(),
        }
    }

    /// Adds a row; the names of states get their color.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.table.add_row(cells.map(|text| {
            let text = one_line(&text);
            match (self.colored, state_color(&text)) {
                (true, Some(color)) => Cell::new(text).fg(color),
                _ => Cell::new(if text.is_empty() { "-" } else { &text }),
            }
        }));
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table.trim_fmt())
    }
}

/// Formats the fields of one thing, one field a line; fields without a value are left out.
pub(crate) fn key_values(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let set = fields.iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("{name:width$}{}\n", one_line(value)))
        .collect()
}

/// Returns the color of a state's name.
fn state_color(word: &str) -> Option<Color> {
    Some(match word {
        "pending" | "received" | "releasing" | "draining" => Color::Yellow,
        "running" | "leased" => Color::Blue,
        "succeeded" | "run created" | "connected" => Color::Green,
        "failed" | "disconnected" => Color::Red,
        "canceled" | "ignored" => Color::DarkGrey,
        _ => return None,
    })
}

/// Formats an enum value: `RUN_STATE_PENDING` with the prefix `RUN_STATE` is `pending`; unspecified is empty.
pub(crate) fn enum_label(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix).unwrap_or(name) {
        "_UNSPECIFIED" => String::new(),
        rest => rest
            .trim_start_matches('_')
            .to_lowercase()
            .replace('_', " "),
    }
}

/// Formats a time as `2026-11-23 10:11:12Z`; empty for none.
pub(crate) fn timestamp(at: Option<&Timestamp>) -> String {
    let Some(at) = at.and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds).ok()) else {
        return String::new();
    };
    let (date, (hour, minute, second)) = (at.date(), at.time().as_hms());
    format!("{date} {hour:02}:{minute:02}:{second:02}Z")
}

/// Formats the time since then; empty for none.
pub(crate) fn age(at: Option<&Timestamp>) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    at.map_or_else(String::new, |at| short_duration(now - at.seconds))
}

/// Formats the time from start to end; up to now if there is no end, empty if there is no start.
pub(crate) fn elapsed(from: Option<&Timestamp>, to: Option<&Timestamp>) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    from.map_or_else(String::new, |from| {
        short_duration(to.map_or(now, |to| to.seconds) - from.seconds)
    })
}

/// Formats seconds in the largest unit that is precise enough: `3s`, `4m`, `5h`, `6d`.
fn short_duration(seconds: i64) -> String {
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
    fn a_table_has_a_header_and_no_ruling() {
        let mut rows = TextTable::new(&["ID", "STATE"]);
        rows.row(["1".into(), "evil\u{1b}[31m\nword".into()]);
        rows.row(["222".into(), String::new()]);
        assert_eq!(rows.to_string(), "ID   STATE\n1    evil[31m word\n222  -");
    }

    #[test]
    fn enum_labels_and_durations_are_short() {
        assert_eq!(enum_label("RUN_STATE_PENDING", "RUN_STATE"), "pending");
        assert_eq!(
            enum_label("DELIVERY_STATE_RUN_CREATED", "DELIVERY_STATE"),
            "run created"
        );
        assert_eq!(enum_label("RUN_REASON_UNSPECIFIED", "RUN_REASON"), "");
        let at = Timestamp {
            seconds: 1_764_000_000,
            nanos: 1,
        };
        assert_eq!(timestamp(Some(&at)), "2025-11-24 16:00:00Z");
        assert_eq!(
            [3, 119, 120, 7_300, 200_000].map(short_duration),
            ["3s", "119s", "2m", "2h", "2d"]
        );
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = key_values(&[
            ("Id", "1".into()),
            ("Nothing", String::new()),
            ("State", "free".into()),
        ]);
        assert_eq!(text, "Id       1\nState    free\n");
    }
}
