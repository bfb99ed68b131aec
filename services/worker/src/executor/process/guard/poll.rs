//! Waiting for descriptors.
use std::{os::fd::BorrowedFd, time::Duration};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// Waits until a descriptor is readable or the time is over.
pub(super) fn wait_readable<'a>(
    descriptors: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Duration,
) -> Result<(), Errno> {
    let mut descriptors: Vec<PollFd<'_>> = descriptors
        .into_iter()
        .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
        .collect();
    // Rounded up, so that the caller does not spin just before the moment.
    let timeout =
        PollTimeout::try_from(timeout + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut descriptors, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a descriptor is readable now.
pub(super) fn is_readable(descriptor: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLIN)];
    match poll(&mut descriptors, PollTimeout::ZERO) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error),
    }
}
