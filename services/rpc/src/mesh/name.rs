//! Where a role of another process is: `https://name:port`, or several of these. Each name is resolved again and again.
use std::{fmt, net::SocketAddr};

use thiserror::Error;
use tonic::transport::Uri;

/// One name and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    host: String,
    port: u16,
}

/// Why a text is no list of names.
#[derive(Debug, Error)]
#[error("{text:?} is no address of a role: {problem} (an example: https://runs:7443)")]
pub struct NameError {
    text: String,
    problem: &'static str,
}

/// Reads a list of names, separated by commas.
///
/// # Errors
/// Names the first text that is no name.
pub fn names(list: &str) -> Result<Vec<Name>, NameError> {
    list.split(',')
        .map(|text| Name::parse(text.trim()))
        .collect()
}

impl Name {
    fn parse(text: &str) -> Result<Self, NameError> {
        let bad = |problem| NameError {
            text: text.to_owned(),
            problem,
        };
        let uri: Uri = text.parse().map_err(|_| bad("it is no URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(bad("it must begin with https://"));
        }
        if !matches!(uri.path(), "" | "/") {
            return Err(bad("it must end with the port"));
        }
        match (uri.host(), uri.port_u16()) {
            (Some(host), Some(port)) => Ok(Self {
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
            }),
            _ => Err(bad("it needs a name and a port")),
        }
    }

    /// Its addresses now.
    ///
    /// # Errors
    /// As the resolver.
    pub async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        Ok(found.collect())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_read() {
        let list = names("https://runs:7443, https://[::1]:1/").unwrap();
        assert_eq!(list[0].to_string(), "runs:7443");
        assert_eq!(list[1].host, "::1");
        for bad in [
            "",
            "runs:7443",
            "http://runs:7443",
            "https://runs",
            "https://runs:1/x",
            "https://a:1,,",
        ] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
