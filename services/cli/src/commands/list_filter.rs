//! The filter that lists of runs and of deliveries share.
use clap::Args;

use crate::{args::Limit, client::Client, error::CliError};

/// Whose items a list shows, and how many.
#[derive(Args, Clone, Debug)]
pub struct ListFilter {
    /// The project's id or slug; without it, all.
    #[arg(long)]
    pub project: Option<String>,
    /// The repository's id or owner/name; without it, all.
    #[arg(long)]
    pub repo: Option<String>,
    /// How many.
    #[command(flatten)]
    pub limit: Limit,
}

/// The ids of what a filter names; empty for all.
pub(crate) struct FilterIds {
    pub(crate) project_id: String,
    pub(crate) repository_id: String,
}

impl ListFilter {
    /// Returns the ids of the project and the repository that the filter names.
    pub(crate) async fn ids(&self, client: &Client) -> Result<FilterIds, CliError> {
        Ok(FilterIds {
            project_id: client.project_id(self.project.as_deref()).await?,
            repository_id: client.repository_id(self.repo.as_deref()).await?,
        })
    }
}
