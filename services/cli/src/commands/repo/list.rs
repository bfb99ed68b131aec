//! `ck8s repo list`.
use ck8s_proto::repositories::v1::ListRepositoriesRequest;

use crate::{
    args::Limit,
    client::collect_pages,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    table::{TextTable, age},
};

pub(super) async fn run(
    connection: &Connection,
    project: String,
    limit: Limit,
) -> Result<(), CliError> {
    let mut service = connection.client.repositories();
    let repositories = collect_pages(limit.limit, async |page_size, page_token| {
        let request = ListRepositoriesRequest {
            project: project.clone(),
            page_size,
            page_token,
        };
        let response = service
            .list_repositories(connection.client.request(request))
            .await;
        let response = response.context("cannot list repositories")?;
        Ok((response.repositories, response.next_page_token))
    })
    .await?;
    let slugs = connection.client.project_slugs().await;
    connection.format.print_many(&repositories, || {
        let mut rows = TextTable::new(&[
            "NAME",
            "PROJECT",
            "EXTERNAL ID",
            "BRANCH",
            "TRIGGERS",
            "ID",
            "AGE",
        ]);
        for r in &repositories {
            rows.row([
                r.full_name.clone(),
                slugs.get(&r.project_id).to_owned(),
                r.external_id.clone(),
                r.default_branch.clone(),
                r.services
                    .as_ref()
                    .map_or(0, |s| s.triggers.len())
                    .to_string(),
                r.id.clone(),
                age(r.create_time.as_ref()),
            ]);
        }
        rows
    })
}
