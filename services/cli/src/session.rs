//! One command's connection and how it answers.
use crate::{
    client::Client,
    fault::Fault,
    global::{Global, Target},
    output::Format,
};

/// A connected server and the way answers look.
pub(crate) struct Session {
    /// The server.
    pub(crate) client: Client,
    /// How answers look.
    pub(crate) format: Format,
    /// The server's base, without a slash at the end.
    pub(crate) url: String,
}

impl Session {
    /// Connects to the server that the options name.
    pub(crate) async fn open(global: &Global) -> Result<Self, Fault> {
        Self::connect(&global.target()?, global.output).await
    }

    /// Connects to a server that is known already.
    pub(crate) async fn connect(target: &Target, format: Format) -> Result<Self, Fault> {
        Ok(Self {
            client: Client::connect(target).await?,
            format,
            url: target.url.clone(),
        })
    }
}
