//! The lock of a run's workload: its guard holds it as long as anything of the workload lives. Whoever gets it knows that nothing does.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// None: somebody holds it.
pub(super) fn try_take(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Removed between opening and locking, it locks nothing.
        match path.metadata() {
            Ok(now) if now.ino() == file.metadata()?.ino() => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}
