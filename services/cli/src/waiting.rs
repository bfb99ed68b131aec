//! A sign of life while a person is waited for: on a terminal only.
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

const TURN: Duration = Duration::from_millis(120);
const SIGNS: [char; 4] = ['|', '/', '-', '\\'];

/// A line that goes when this does.
pub(crate) struct Waiting {
    text: &'static str,
    shown: bool,
}

impl Waiting {
    /// Begins to wait for something.
    pub(crate) fn begin(text: &'static str) -> Self {
        let shown = io::stderr().is_terminal();
        Self { text, shown }
    }

    /// Waits so long.
    pub(crate) async fn pause(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        let mut turns = tokio::time::interval(TURN);
        let mut sign = SIGNS.iter().cycle();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                _ = turns.tick(), if self.shown => {
                    let sign = sign.next().unwrap_or(&' ');
                    // Nobody reads it: no reason to stop.
                    let _ = write!(io::stderr().lock(), "\r{sign} {}", self.text);
                }
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r{:1$}\r", "", self.text.len() + 2);
        }
    }
}
