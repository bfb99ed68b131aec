//! Whether standard output and standard error take colors.
use std::io::{self, IsTerminal};

/// Returns whether standard output takes colors.
pub(crate) fn stdout_has_color() -> bool {
    io::stdout().is_terminal() && color_is_wanted()
}

/// Returns whether standard error takes colors.
pub(crate) fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && color_is_wanted()
}

/// <https://no-color.org>
fn color_is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
