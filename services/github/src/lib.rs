//! GitHub as a place where repositories live: the only crate that names octocrab. It keeps GitHub's manners (limits, one writer at a time,
//! conditional reads) and says what went wrong in the words of `ck8s-provider`. It stores nothing and logs no secret.
mod answer;
mod ask;
mod bearer;
mod caller;
mod comments;
mod contents;
mod deliveries;
mod hooks;
mod limits;
mod needs;
mod pace;
mod pages;
mod permissions;
mod provider;
mod reads;
mod repositories;
mod transport;
mod wire;

use caller::Callers;
use ck8s_provider::ProviderError;
use transport::Transport;

pub use hooks::EVENTS;
pub use pace::Pace;

/// What people call it.
const NAME: &str = "GitHub";

/// GitHub, behind one address of its API.
pub struct GitHub {
    transport: Transport,
    callers: Callers,
    pace: Pace,
}

impl GitHub {
    /// The one whose API is here: `https://api.github.com`, or `https://HOST/api/v3`. Call it within a runtime, which it then needs for as
    /// long as it lives.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`]: that is no address. [`ProviderError::Unavailable`]: this machine has no certificate authorities.
    pub fn new(api_url: &str) -> Result<Self, ProviderError> {
        Self::paced(api_url, Pace::default())
    }

    /// The same, at another pace.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn paced(api_url: &str, pace: Pace) -> Result<Self, ProviderError> {
        Ok(Self {
            transport: Transport::new(api_url)?,
            callers: Callers::default(),
            pace,
        })
    }
}
