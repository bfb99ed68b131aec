//! How fast, how often and how long this crate asks GitHub.
use std::time::Duration;

/// How fast, how often and how long GitHub is asked.
#[derive(Clone, Copy, Debug)]
pub struct GitHubConfig {
    /// How long one request may take, from the first byte sent to the last byte read.
    pub request_timeout: Duration,
    /// How long the files of one change are read; what has not come by then is not known. It is less than callers wait:
    /// otherwise each attempt would read the same pages in vain.
    pub files_timeout: Duration,
    /// How often a failed read is tried again.
    pub max_retries: u32,
    /// The delay before the first retry. It doubles with each further one, and up to half of it is added at random.
    pub retry_delay: Duration,
    /// How many writes of one credential may follow each other without a pause.
    pub write_burst: u32,
    /// The interval between further writes. GitHub asks for a second between many writes and accepts 80 a minute of
    /// those that create content.
    pub write_interval: Duration,
}

impl Default for GitHubConfig {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            files_timeout: Duration::from_secs(4),
            max_retries: 2,
            retry_delay: Duration::from_millis(250),
            write_burst: 10,
            write_interval: Duration::from_secs(1),
        }
    }
}
