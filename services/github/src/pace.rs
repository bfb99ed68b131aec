//! How fast, how often and how long this crate asks.
use std::time::Duration;

/// How fast, how often and how long GitHub is asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// An answer that takes longer is none.
    pub deadline: Duration,
    /// How often a read that failed is tried again.
    pub retries: u32,
    /// The pause before the first of them; it doubles with each, and up to half of it is by chance.
    pub pause: Duration,
    /// So many writes of one credential may follow each other at once.
    pub burst: u32,
    /// After those, one each so long. GitHub asks for a second between many writes, and takes 80 a minute of those that make content.
    pub write_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            retries: 2,
            pause: Duration::from_millis(250),
            burst: 10,
            write_every: Duration::from_secs(1),
        }
    }
}
