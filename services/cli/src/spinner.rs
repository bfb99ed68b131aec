//! A spinner on standard error that shows that the command waits for a person; on a terminal only.
use std::{
    io::{self, Write},
    time::Duration,
};

use crate::terminal::stderr_redraws;

/// How long each frame is shown.
const FRAME_INTERVAL: Duration = Duration::from_millis(120);
const FRAMES: [char; 4] = ['|', '/', '-', '\\'];

/// A spinner; its line is cleared when it is dropped.
pub(crate) struct Spinner {
    text: &'static str,
    shown: bool,
}

impl Spinner {
    /// Makes a spinner that says what the command waits for.
    pub(crate) fn new(text: &'static str) -> Self {
        let shown = stderr_redraws();
        Self { text, shown }
    }

    /// Spins for this long.
    pub(crate) async fn spin(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        let mut ticks = tokio::time::interval(FRAME_INTERVAL);
        let mut frames = FRAMES.iter().cycle();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                _ = ticks.tick(), if self.shown => {
                    let frame = frames.next().unwrap_or(&' ');
                    // A closed standard error is no reason to stop.
                    let _ = write!(io::stderr().lock(), "\r{frame} {}", self.text);
                }
            }
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r{:1$}\r", "", self.text.len() + 2);
        }
    }
}
