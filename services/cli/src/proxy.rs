//! The proxy between this machine and a server, as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name it. A
//! server on this machine itself is never behind one.
use std::{error::Error, net::IpAddr};

use http::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::{
    legacy::connect::{
        HttpConnector,
        proxy::{SocksV4, SocksV5, Tunnel},
    },
    proxy::matcher::{Intercept, Matcher},
};
use tonic::transport::{Channel, Endpoint};

use crate::error::{CliError, ExitStatus, root_cause};

/// The proxy of a server.
pub(crate) struct Proxy(Intercept);

impl Proxy {
    /// Returns the proxy that the environment names for a server; none if it is reached without one.
    pub(crate) fn of(server: &Uri) -> Option<Self> {
        Self::chosen(&Matcher::from_env(), server)
    }

    fn chosen(matcher: &Matcher, server: &Uri) -> Option<Self> {
        if server.host().is_none_or(is_this_machine) {
            return None;
        }
        matcher.intercept(server).map(Self)
    }

    /// Returns whether the connection to the proxy itself is TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.0.uri().scheme_str() == Some("https")
    }

    /// Connects to a server through the proxy: an HTTP proxy is asked for a tunnel (CONNECT), over which the server's
    /// own TLS goes.
    pub(crate) async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, Box<dyn Error>> {
        let (proxy, tcp) = (self.0.uri().clone(), tcp_connector());
        Ok(match self.0.uri().scheme_str() {
            Some("socks5" | "socks5h") => {
                let socks = SocksV5::new(proxy, tcp).local_dns(self.scheme_is("socks5"));
                let socks = match self.0.raw_auth() {
                    Some((user, password)) => socks.with_auth(user.into(), password.into()),
                    None => socks,
                };
                endpoint.connect_with_connector(socks).await?
            }
            Some("socks4" | "socks4a") => {
                let socks = SocksV4::new(proxy, tcp).local_dns(self.scheme_is("socks4"));
                endpoint.connect_with_connector(socks).await?
            }
            Some("https") => {
                let tls = HttpsConnectorBuilder::new().with_native_roots()?;
                let tls = tls.https_only().enable_http1().wrap_connector(tcp);
                let tunnel = self.with_auth(Tunnel::new(proxy, tls));
                endpoint.connect_with_connector(tunnel).await?
            }
            _ => {
                let tunnel = self.with_auth(Tunnel::new(proxy, tcp));
                endpoint.connect_with_connector(tunnel).await?
            }
        })
    }

    fn scheme_is(&self, scheme: &str) -> bool {
        self.0.uri().scheme_str() == Some(scheme)
    }

    fn with_auth<C>(&self, tunnel: Tunnel<C>) -> Tunnel<C> {
        match self.0.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }
    }

    /// Makes the error of a server that cannot be reached through the proxy.
    pub(crate) fn unreachable(&self, url: &str, why: &dyn Error) -> CliError {
        // The proxy's address is without its user and password here.
        let proxy = self.0.uri().to_string();
        CliError::new(
            ExitStatus::Unavailable,
            format!(
                "cannot connect to {url} through the proxy {}",
                proxy.trim_end_matches('/')
            ),
            root_cause(why),
            "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name the server in NO_PROXY",
        )
    }
}

/// Returns a server's address with its port: a proxy is asked for one, and takes 443 for none.
pub(crate) fn with_port(url: &str) -> String {
    match url.parse::<Uri>() {
        Ok(uri) if uri.port().is_none() && uri.scheme_str() == Some("http") => format!("{url}:80"),
        _ => url.to_owned(),
    }
}

fn tcp_connector() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

/// Returns whether a host is this machine: a proxy would take it for itself.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_proxy_and_this_machine_has_none() {
        let matcher = Matcher::builder()
            .http("http://plain:3128")
            .https("user:secret@secure:3129")
            .no("near.example,10.0.0.0/8")
            .build();
        let proxy = |url: &str| {
            let proxy = Proxy::chosen(&matcher, &url.parse().unwrap());
            proxy.map(|proxy| proxy.0.uri().to_string())
        };
        assert_eq!(
            proxy("http://far.example").as_deref(),
            Some("http://plain:3128/")
        );
        assert_eq!(
            proxy("https://far.example").as_deref(),
            Some("http://secure:3129/")
        );
        for direct in [
            "https://near.example",
            "https://a.near.example",
            "http://10.1.2.3:8080",
            "http://127.0.0.1:8080",
            "http://LocalHost:8080",
            "http://[::1]:8080",
        ] {
            assert_eq!(proxy(direct), None, "{direct}");
        }
    }

    #[test]
    fn a_password_of_a_proxy_is_in_no_error() {
        let matcher = Matcher::builder().all("http://user:secret@proxy:1").build();
        let proxy = Proxy::chosen(&matcher, &"https://far.example".parse().unwrap());
        let error = proxy
            .unwrap()
            .unreachable("https://far.example", &std::fmt::Error);
        assert_eq!(error.exit_status(), ExitStatus::Unavailable);
        let text = error.to_string();
        assert!(
            text.contains("http://proxy:1:") && !text.contains("secret"),
            "{text}"
        );
    }

    #[test]
    fn a_proxy_is_told_the_port() {
        assert_eq!(with_port("http://a"), "http://a:80");
        for url in ["https://a", "http://a:8080", "http://[::1]:1"] {
            assert_eq!(with_port(url), url);
        }
    }
}
