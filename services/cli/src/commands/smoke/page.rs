//! What the public listener answers to plain GETs: health, readiness, version, the console.
use serde::Deserialize;

use crate::{
    client::{deepest, unreachable},
    commands::send,
    fault::{Exit, Fault},
};

/// A server's plain pages.
pub(super) struct Pages<'a> {
    url: &'a str,
    http: reqwest::Client,
}

/// One answer.
struct Page {
    kind: String,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    revision: String,
    build_time: String,
}

impl<'a> Pages<'a> {
    /// Of a server.
    pub(super) fn of(url: &'a str) -> Result<Self, Fault> {
        Ok(Self {
            url,
            http: send::http(url)?,
        })
    }

    /// The process lives.
    pub(super) async fn health(&self) -> Result<String, Fault> {
        self.get("/healthz").await?;
        Ok("the server lives".to_owned())
    }

    /// It can serve.
    pub(super) async fn ready(&self) -> Result<String, Fault> {
        self.get("/readyz").await?;
        Ok("the server can serve".to_owned())
    }

    /// It says what it was built from; `wanted`, where that is known.
    pub(super) async fn version(&self, wanted: Option<&str>) -> Result<String, Fault> {
        let page = self.get("/version").await?;
        let Version {
            version,
            revision,
            build_time,
        } = serde_json::from_str(&page.text).unwrap_or_default();
        if version.is_empty() || revision.is_empty() {
            return Err(self.wrong("/version", "it says no version, or no revision"));
        }
        // Either may be shortened.
        let same = |wanted: &str| revision.starts_with(wanted) || wanted.starts_with(&revision);
        match wanted.filter(|wanted| wanted.is_empty() || !same(wanted)) {
            Some(wanted) => {
                let why = format!("revision {revision} runs, not {wanted}");
                Err(self.wrong("/version", &why))
            }
            None => Ok(format!(
                "version {version}, revision {revision}, built {build_time}"
            )),
        }
    }

    /// The console answers.
    pub(super) async fn console(&self) -> Result<String, Fault> {
        let page = self.get("/").await?;
        let is_page = page.text.contains("<title>ck8s</title>");
        if !page.kind.starts_with("text/html") || !is_page {
            return Err(self.wrong("/", "the answer is not the console's page"));
        }
        Ok("the console's page is there".to_owned())
    }

    async fn get(&self, path: &str) -> Result<Page, Fault> {
        let fault = |e: reqwest::Error| {
            if e.is_connect() {
                unreachable(self.url, &e)
            } else {
                self.wrong(path, &deepest(&e))
            }
        };
        let answer = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .map_err(fault)?;
        let status = answer.status();
        let kind = answer.headers().get(http::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.to_owned();
        let text = answer.text().await.map_err(fault)?;
        if status != http::StatusCode::OK {
            let words: String = text.chars().take(200).collect();
            let why = format!("the server answered {}: {words}", status.as_u16());
            return Err(self.wrong(path, why.trim_end_matches([':', ' '])));
        }
        Ok(Page { kind, text })
    }

    fn wrong(&self, path: &str, why: &str) -> Fault {
        Fault::new(Exit::Failed, format!("GET {path}"), why, "")
    }
}
