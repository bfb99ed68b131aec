//! What one command works with: a connected server and the format of its output.
use crate::{
    client::Client, error::CliError, options::GlobalOptions, output::Format, target::Target,
};

/// A connected server and the format of the output.
pub(crate) struct Connection {
    /// The server.
    pub(crate) client: Client,
    /// The format of the output.
    pub(crate) format: Format,
    /// The server's base address, without a slash at the end.
    pub(crate) url: String,
}

impl Connection {
    /// Connects to the server that the options name.
    pub(crate) async fn open(options: &GlobalOptions) -> Result<Self, CliError> {
        Self::connect(&options.target()?, options.output).await
    }

    /// Connects to this server.
    pub(crate) async fn connect(target: &Target, format: Format) -> Result<Self, CliError> {
        Ok(Self {
            client: Client::connect(target).await?,
            format,
            url: target.url.clone(),
        })
    }
}
