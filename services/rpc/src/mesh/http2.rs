//! How HTTP/2 is set up between roles, and what it bounds.
use std::time::Duration;

/// The largest message between roles: a webhook of 25 MB and what stands around it.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// The HTTP/2 windows: the largest message may be under way without waiting for the reader.
pub(super) const WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: fewer of them for large messages.
pub(super) const MAX_FRAME_BYTES: u32 = 256 * 1024;
/// Bounds the headers of a request in all.
pub(super) const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// How often a silent connection is asked whether its other end lives, and how long the answer may take.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
