//! The gRPC client of a server: connection, deadlines, pages, names that become ids.
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
use http::Uri;
use tonic::{
    Request,
    transport::{ClientTlsConfig, Endpoint},
};
use uuid::Uuid;

use crate::{
    auth::AuthChannel,
    error::{CliError, ExitStatus, ResponseExt as _, root_cause},
    proxy::{Proxy, with_port},
    target::Target,
};

/// Bounds how long a person waits for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds a unary call; a stream has no deadline.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a connection is probed, so that a dead server is noticed while a stream is idle.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Bounds a response: a delivery's payload has up to 25 MB.
const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// The largest page that the server returns.
const MAX_PAGE_SIZE: usize = 200;

/// A connected server, and the credential for it.
pub(crate) struct Client {
    channel: AuthChannel,
}

impl Client {
    /// Connects to a server, through the proxy that the environment names for it.
    pub(crate) async fn connect(target: &Target) -> Result<Self, CliError> {
        let uri = target.url.parse::<Uri>();
        let proxy = Proxy::of(&uri.map_err(|e| wrong_address(target, &e))?);
        let endpoint = endpoint(target, proxy.is_some())?;
        let connecting = async {
            match &proxy {
                Some(proxy) => proxy.connect(&endpoint).await,
                None => Ok(endpoint.connect().await?),
            }
        };
        let late = |_| {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(format!("there was no connection within {seconds} s").into())
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let channel = connected
            .unwrap_or_else(late)
            .map_err(|error| match &proxy {
                Some(proxy) => proxy.unreachable(&target.url, error.as_ref()),
                None => unreachable_server(&target.url, error.as_ref()),
            })?;
        Ok(Self {
            channel: AuthChannel::new(channel, &target.url, &target.credential)?,
        })
    }

    /// Makes the request of a unary call.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream_request(message);
        request.set_timeout(CALL_TIMEOUT);
        request
    }

    /// Makes the request of a call whose response is a stream.
    pub(crate) fn stream_request<T>(&self, message: T) -> Request<T> {
        Request::new(message)
    }

    /// Returns the channel, for calls that no generated client makes.
    pub(crate) fn channel(&self) -> AuthChannel {
        self.channel.clone()
    }

    pub(crate) fn auth(&self) -> AuthServiceClient<AuthChannel> {
        AuthServiceClient::new(self.channel.clone())
    }

    pub(crate) fn projects(&self) -> ProjectsServiceClient<AuthChannel> {
        ProjectsServiceClient::new(self.channel.clone())
    }

    pub(crate) fn repositories(&self) -> RepositoriesServiceClient<AuthChannel> {
        RepositoriesServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn ingress(&self) -> IngressServiceClient<AuthChannel> {
        IngressServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn runs(&self) -> RunsServiceClient<AuthChannel> {
        RunsServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Returns the id of a project that is named by id or slug; none or empty stays empty.
    pub(crate) async fn project_id(&self, project: Option<&str>) -> Result<String, CliError> {
        let name = project.unwrap_or_default();
        if name.is_empty() || Uuid::try_parse(name).is_ok() {
            return Ok(name.to_owned());
        }
        let request = self.request(GetProjectRequest {
            project: name.to_owned(),
        });
        let answer = self.projects().get_project(request).await;
        let answer = answer.context(format!("cannot find project {name}"))?;
        Ok(answer.project.unwrap_or_default().id)
    }

    /// Returns the id of a repository that is named by id or owner/name; none or empty stays empty.
    pub(crate) async fn repository_id(&self, repository: Option<&str>) -> Result<String, CliError> {
        let name = repository.unwrap_or_default();
        if name.is_empty() || Uuid::try_parse(name).is_ok() {
            return Ok(name.to_owned());
        }
        let request = self.request(GetRepositoryRequest {
            repository: name.to_owned(),
            project_ids: Vec::new(),
        });
        let answer = self.repositories().get_repository(request).await;
        let answer = answer.context(format!("cannot find repository {name}"))?;
        Ok(answer.repository.unwrap_or_default().id)
    }

    /// Reads the projects' slugs, for tables. If they cannot be read, tables show ids.
    pub(crate) async fn project_slugs(&self) -> ProjectSlugs {
        let request = self.request(ListProjectsRequest {
            page_size: page_size(MAX_PAGE_SIZE),
            page_token: String::new(),
        });
        let answer = self.projects().list_projects(request).await;
        let projects = answer.map(|a| a.into_inner().projects).unwrap_or_default();
        ProjectSlugs(projects.into_iter().map(|p| (p.id, p.slug)).collect())
    }
}

fn endpoint(target: &Target, is_proxied: bool) -> Result<Endpoint, CliError> {
    let url = if is_proxied {
        with_port(&target.url)
    } else {
        target.url.clone()
    };
    let endpoint = Endpoint::from_shared(url).map_err(|e| wrong_address(target, &e))?;
    let endpoint = endpoint
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_INTERVAL);
    match endpoint.uri().scheme_str() {
        Some("http") => Ok(endpoint),
        Some("https") => {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint
                .tls_config(tls)
                .map_err(|e| wrong_address(target, &e))
        }
        _ => {
            let what = format!("cannot connect to {}", target.url);
            Err(CliError::usage(what, "neither http nor https", "see --url"))
        }
    }
}

fn wrong_address(target: &Target, why: &dyn Error) -> CliError {
    let what = format!("cannot connect to {}", target.url);
    CliError::usage(what, root_cause(why), "give --url http(s)://host:port")
}

/// The projects' slugs, by id.
pub(crate) struct ProjectSlugs(std::collections::HashMap<String, String>);

impl ProjectSlugs {
    /// Returns a project's slug, or its id if the slug is unknown.
    pub(crate) fn get<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }
}

/// Returns a fresh request id, which makes a call safe to repeat.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Reads pages until there are `limit` items (0: all of them). `page` reads one page, given its size and token.
pub(crate) async fn collect_pages<T, P>(limit: usize, mut page: P) -> Result<Vec<T>, CliError>
where
    P: AsyncFnMut(i32, String) -> Result<(Vec<T>, String), CliError>,
{
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (mut items, mut token) = (Vec::new(), String::new());
    loop {
        let (more, next) = page(page_size(limit - items.len()), token).await?;
        items.extend(more);
        if next.is_empty() || items.len() >= limit {
            items.truncate(limit);
            return Ok(items);
        }
        token = next;
    }
}

fn page_size(items: usize) -> i32 {
    i32::try_from(items.min(MAX_PAGE_SIZE)).unwrap_or(0)
}

/// Makes the error of a server that cannot be reached.
pub(crate) fn unreachable_server(url: &str, why: &dyn Error) -> CliError {
    let hint = "start one with `ck8s up`, or name another with --url or CK8S_URL";
    CliError::new(
        ExitStatus::Unavailable,
        format!("cannot connect to {url}"),
        root_cause(why),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use ck8s_proto::auth::v1::WhoAmIRequest;

    use super::*;

    #[tokio::test]
    async fn pages_are_read_up_to_the_limit() {
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
        assert_eq!(collect_pages(5, page).await.unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(collect_pages(0, page).await.unwrap().len(), 8);
        assert_eq!(collect_pages(50, page).await.unwrap().len(), 8);
    }

    #[tokio::test]
    async fn a_server_that_does_not_listen_is_unavailable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Client::connect(&Target::anonymous(&url))
            .await
            .err()
            .unwrap();
        assert_eq!(error.exit_status(), ExitStatus::Unavailable);
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_unavailable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::connect(&Target::anonymous(&url)).await.unwrap();
        let mut request = client.request(WhoAmIRequest {});
        request.set_timeout(Duration::from_millis(100));
        let silent = client.auth().who_am_i(request).await.unwrap_err();
        let error = CliError::status("cannot say who you are", &silent);
        assert_eq!(error.exit_status(), ExitStatus::Unavailable);
        assert_eq!(
            error.to_string(),
            "cannot say who you are: the server did not answer in time; check the server with --url, then try again"
        );
    }
}
