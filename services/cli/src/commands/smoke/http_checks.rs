//! Checks of the public listener by plain GETs: health, readiness, version, the console.
use serde::Deserialize;

use crate::{
    client::unreachable_server,
    commands::delivery,
    error::{CliError, ExitStatus, root_cause},
};

/// The checks of a server by plain GETs.
pub(super) struct HttpChecks<'a> {
    url: &'a str,
    http: reqwest::Client,
}

/// A response with status 200.
struct Page {
    content_type: String,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    revision: String,
    build_time: String,
}

impl<'a> HttpChecks<'a> {
    /// Makes the checks of a server.
    pub(super) fn new(url: &'a str) -> Result<Self, CliError> {
        Ok(Self {
            url,
            http: delivery::http_client(url)?,
        })
    }

    /// The process is alive.
    pub(super) async fn health(&self) -> Result<String, CliError> {
        self.get("/healthz").await?;
        Ok("the server lives".to_owned())
    }

    /// It can serve.
    pub(super) async fn ready(&self) -> Result<String, CliError> {
        self.get("/readyz").await?;
        Ok("the server can serve".to_owned())
    }

    /// The server says which build it is, and it is the expected revision, if one is given.
    pub(super) async fn version(&self, expected: Option<&str>) -> Result<String, CliError> {
        let page = self.get("/version").await?;
        let Version {
            version,
            revision,
            build_time,
        } = serde_json::from_str(&page.text).unwrap_or_default();
        if version.is_empty() || revision.is_empty() {
            return Err(self.error("/version", "it says no version, or no revision"));
        }
        // Either may be shortened.
        let is_same =
            |expected: &str| revision.starts_with(expected) || expected.starts_with(&revision);
        match expected.filter(|expected| expected.is_empty() || !is_same(expected)) {
            Some(expected) => {
                let why = format!("revision {revision} runs, not {expected}");
                Err(self.error("/version", &why))
            }
            None => Ok(format!(
                "version {version}, revision {revision}, built {build_time}"
            )),
        }
    }

    /// The console's page is served.
    pub(super) async fn console(&self) -> Result<String, CliError> {
        let page = self.get("/").await?;
        let is_page = page.text.contains("<title>ck8s</title>");
        if !page.content_type.starts_with("text/html") || !is_page {
            return Err(self.error("/", "the response is not the console's page"));
        }
        Ok("the console's page is there".to_owned())
    }

    async fn get(&self, path: &str) -> Result<Page, CliError> {
        let failed = |e: reqwest::Error| {
            if e.is_connect() {
                unreachable_server(self.url, &e)
            } else {
                self.error(path, &root_cause(&e))
            }
        };
        let response = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .map_err(failed)?;
        let status = response.status();
        let content_type = response.headers().get(http::header::CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = response.text().await.map_err(failed)?;
        if status != http::StatusCode::OK {
            let words: String = text.chars().take(200).collect();
            let why = format!("the server answered {}: {words}", status.as_u16());
            return Err(self.error(path, why.trim_end_matches([':', ' '])));
        }
        Ok(Page { content_type, text })
    }

    fn error(&self, path: &str, why: &str) -> CliError {
        CliError::new(ExitStatus::Failed, format!("GET {path}"), why, "")
    }
}
