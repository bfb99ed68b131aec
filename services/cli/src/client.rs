//! The connection to the server: channel, deadlines, pages.
use std::{error::Error, time::Duration};

use ck8s_proto::{
    auth::v1::{
        GetProjectRequest, ListProjectsRequest, auth_service_client::AuthServiceClient,
        projects_service_client::ProjectsServiceClient,
    },
    ingress::v1::ingress_service_client::IngressServiceClient,
    repositories::v1::{
        GetRepositoryRequest, repositories_service_client::RepositoriesServiceClient,
    },
    runs::v1::runs_service_client::RunsServiceClient,
};
use tonic::{
    Request,
    transport::{ClientTlsConfig, Endpoint},
};
use uuid::Uuid;

use crate::{
    asker::Asker,
    fault::{Answer, Exit, Fault},
    global::Target,
};

/// A person waits no longer for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest that one answer may take; streams have no end.
const DEADLINE: Duration = Duration::from_secs(30);
/// A dead peer of a long stream is found after about this long.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// A delivery's payload has up to 25 MB.
const MAX_MESSAGE: usize = 32 << 20;
/// The server's largest page.
const PAGE: usize = 200;

/// A server that answered, and who asks it.
pub(crate) struct Client {
    channel: Asker,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(target: &Target) -> Result<Self, Fault> {
        let what = format!("cannot connect to {}", target.url);
        let wrong =
            |why: &dyn Error| Fault::usage(&what, deepest(why), "give --url http(s)://host:port");
        let mut endpoint = Endpoint::from_shared(target.url.clone())
            .map_err(|e| wrong(&e))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE);
        match endpoint.uri().scheme_str() {
            Some("http") => {}
            Some("https") => {
                let tls = ClientTlsConfig::new().with_native_roots();
                endpoint = endpoint.tls_config(tls).map_err(|e| wrong(&e))?;
            }
            _ => return Err(Fault::usage(&what, "neither http nor https", "see --url")),
        }
        let channel = endpoint
            .connect()
            .await
            .map_err(|e| unreachable(&target.url, &e))?;
        Ok(Self {
            channel: Asker::new(channel, &target.url, &target.who)?,
        })
    }

    /// A request of one answer.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = self.ask_stream(message);
        request.set_timeout(DEADLINE);
        request
    }

    /// A request of a stream of answers.
    pub(crate) fn ask_stream<T>(&self, message: T) -> Request<T> {
        Request::new(message)
    }

    /// For calls that no generated client makes.
    pub(crate) fn channel(&self) -> Asker {
        self.channel.clone()
    }

    pub(crate) fn auth(&self) -> AuthServiceClient<Asker> {
        AuthServiceClient::new(self.channel.clone())
    }

    pub(crate) fn projects(&self) -> ProjectsServiceClient<Asker> {
        ProjectsServiceClient::new(self.channel.clone())
    }

    pub(crate) fn repositories(&self) -> RepositoriesServiceClient<Asker> {
        RepositoriesServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn ingress(&self) -> IngressServiceClient<Asker> {
        IngressServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn runs(&self) -> RunsServiceClient<Asker> {
        RunsServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// The id of a project that is named by id or slug; empty stays empty.
    pub(crate) async fn project_id(&self, project: Option<&str>) -> Result<String, Fault> {
        let name = project.unwrap_or_default();
        if name.is_empty() || Uuid::try_parse(name).is_ok() {
            return Ok(name.to_owned());
        }
        let request = self.ask(GetProjectRequest {
            project: name.to_owned(),
        });
        let answer = self.projects().get_project(request).await;
        let answer = answer.or_say(format!("cannot find project {name}"))?;
        Ok(answer.project.unwrap_or_default().id)
    }

    /// The id of a repository that is named by id or owner/name; empty stays empty.
    pub(crate) async fn repository_id(&self, repository: Option<&str>) -> Result<String, Fault> {
        let name = repository.unwrap_or_default();
        if name.is_empty() || Uuid::try_parse(name).is_ok() {
            return Ok(name.to_owned());
        }
        let request = self.ask(GetRepositoryRequest {
            repository: name.to_owned(),
        });
        let answer = self.repositories().get_repository(request).await;
        let answer = answer.or_say(format!("cannot find repository {name}"))?;
        Ok(answer.repository.unwrap_or_default().id)
    }

    /// The slugs of projects by id, for tables; one that is missing is shown by its id.
    pub(crate) async fn slugs(&self) -> Slugs {
        let request = self.ask(ListProjectsRequest {
            page_size: size(PAGE),
            page_token: String::new(),
        });
        let answer = self.projects().list_projects(request).await;
        let projects = answer.map(|a| a.into_inner().projects).unwrap_or_default();
        Slugs(projects.into_iter().map(|p| (p.id, p.slug)).collect())
    }
}

/// Projects' slugs by id.
pub(crate) struct Slugs(std::collections::HashMap<String, String>);

impl Slugs {
    /// The slug, else the id.
    pub(crate) fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }
}

/// What makes a call safe to repeat.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Follows pages until there are `limit` items; 0: until there are no more. `page` takes a page's size and token.
pub(crate) async fn pages<T, P>(limit: usize, mut page: P) -> Result<Vec<T>, Fault>
where
    P: AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Fault>,
{
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (mut items, mut token) = (Vec::new(), String::new());
    loop {
        let (more, next) = page(size(limit - items.len()), token).await?;
        items.extend(more);
        if next.is_empty() || items.len() >= limit {
            items.truncate(limit);
            return Ok(items);
        }
        token = next;
    }
}

fn size(items: usize) -> i32 {
    i32::try_from(items.min(PAGE)).unwrap_or(0)
}

/// The server is not there.
pub(crate) fn unreachable(url: &str, why: &dyn Error) -> Fault {
    let todo = "start one with `ck8s up`, or name another with --url or CK8S_URL";
    Fault::new(
        Exit::Unavailable,
        format!("cannot connect to {url}"),
        deepest(why),
        todo,
    )
}

/// The innermost cause says most.
pub(crate) fn deepest(fault: &dyn Error) -> String {
    let mut fault = fault;
    while let Some(inner) = fault.source() {
        fault = inner;
    }
    fault.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::Who;

    #[tokio::test]
    async fn pages_follow_each_other_up_to_the_limit() {
        let page = async |size: i32, token: String| {
            let from: i32 = token.parse().unwrap_or(0);
            let to = (from + size.min(3)).min(8);
            let next = if to < 8 {
                to.to_string()
            } else {
                String::new()
            };
            Ok(((from..to).collect::<Vec<_>>(), next))
        };
        assert_eq!(pages(5, page).await.unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(pages(0, page).await.unwrap().len(), 8);
        assert_eq!(pages(50, page).await.unwrap().len(), 8);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let target = Target {
            url,
            who: Who::Nobody,
            ready: None,
        };
        let fault = Client::connect(&target).await.err().unwrap();
        assert_eq!(fault.exit(), Exit::Unavailable);
        assert!(fault.to_string().contains("refused"), "{fault}");
    }
}
