//! Reads the worker's commands from the guard's standard input, without blocking.
use std::{
    collections::VecDeque,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::{errno::Errno, unistd::read};

use super::{
    super::protocol::{GuardCommand, StartCommand},
    poll::{is_readable, wait_readable},
};

/// Bounds the wait for the worker's first command, which it sends at once.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds a line: a spec of 64 KiB and its secrets, escaped.
const MAX_LINE_BYTES: usize = 16 << 20;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// The commands of the worker.
pub(super) struct CommandReader<'a> {
    input: BorrowedFd<'a>,
    buffer: Vec<u8>,
    commands: VecDeque<GuardCommand>,
    ended: bool,
}

impl<'a> CommandReader<'a> {
    pub(super) fn new(input: BorrowedFd<'a>) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            commands: VecDeque::new(),
            ended: false,
        }
    }

    /// Waits for the first command. None: the worker is gone already.
    pub(super) fn wait_for_start(&mut self) -> Result<Option<StartCommand>, Errno> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match self.next() {
                Some(GuardCommand::Start(start)) => return Ok(Some(start)),
                Some(_) => return Err(Errno::EPROTO),
                None if self.ended || deadline <= Instant::now() => return Ok(None),
                None => wait_readable(self.input(), deadline - Instant::now())?,
            }
            self.read()?;
        }
    }

    /// Returns the input, unless it has ended.
    pub(super) fn input(&self) -> Option<BorrowedFd<'a>> {
        (!self.ended).then_some(self.input)
    }

    /// Whether the input has ended: the worker is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the next command that was read.
    pub(super) fn next(&mut self) -> Option<GuardCommand> {
        self.commands.pop_front()
    }

    /// Reads what there is to read.
    pub(super) fn read(&mut self) -> Result<(), Errno> {
        let mut chunk = [0; READ_BYTES];
        while !self.ended && is_readable(self.input)? {
            match read(self.input, &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(size) => self.buffer.extend_from_slice(&chunk[..size]),
                Err(Errno::EINTR) => {}
                Err(_) => self.ended = true,
            }
        }
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(command) => self.commands.push_back(command),
                Err(_) => return Err(Errno::EPROTO),
            }
        }
        if self.buffer.len() > MAX_LINE_BYTES {
            return Err(Errno::EMSGSIZE);
        }
        Ok(())
    }
}
