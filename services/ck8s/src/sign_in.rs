//! The options of sign-in: the public address, the OAuth app, the first admin; and the configuration that follows for
//! auth, repositories and the edge.
use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use ck8s_auth::{AuthConfig, CertificateConfig, OAuthConfig, SignInConfig, StartError};
use ck8s_edge::EdgeConfig;
use ck8s_github::GitHub;
use ck8s_repositories::ManagedProvider;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::config::Secrets;

/// The options of sign-in, for the roles auth and edge. The OAuth app's secret comes by the environment alone.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Sign-in")]
pub(crate) struct SignInOptions {
    /// Where people reach the console, and GitHub's hooks the server, for the roles auth, edge and repositories:
    /// https://ck8s.example.
    #[arg(long, env = "CK8S_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Where people sign in, for the role auth: GitHub, or a GitHub Enterprise Server.
    #[arg(
        long,
        env = "CK8S_GITHUB_URL",
        value_name = "URL",
        default_value = "https://github.com"
    )]
    github_url: String,
    /// Its API, for the roles auth and repositories.
    #[arg(
        long,
        env = "CK8S_GITHUB_API_URL",
        value_name = "URL",
        default_value = "https://api.github.com"
    )]
    github_api_url: String,
    /// The OAuth app's client id, for the role auth; its secret is CK8S_GITHUB_CLIENT_SECRET. Unset: people come by
    /// one-time links alone.
    #[arg(long, env = "CK8S_GITHUB_CLIENT_ID", value_name = "ID")]
    github_client_id: Option<String>,
    /// An address that is allowed and made a platform admin at the start of the role auth, while there is none.
    #[arg(long, env = "CK8S_FIRST_ADMIN", value_name = "EMAIL")]
    first_admin: Option<String>,
    /// How long an access token lives.
    #[arg(long, env = "CK8S_ACCESS_TOKEN_TTL_S", value_name = "SECONDS", default_value_t = 900,
        value_parser = clap::value_parser!(u64).range(1..=900))]
    access_token_ttl_s: u64,
    /// How long a key signs access tokens before the next one is made.
    #[arg(long, env = "CK8S_SIGNING_KEY_TTL_S", value_name = "SECONDS", default_value_t = 604_800,
        value_parser = clap::value_parser!(u64).range(60..))]
    signing_key_ttl_s: u64,
    /// Sign-ins, refreshes and calls without a token of one address in a minute, for the role edge, and, counted apart,
    /// its calls with tokens that are nobody's; 0: as many as it likes.
    #[arg(long, env = "CK8S_SIGN_IN_RATE", value_name = "N")]
    sign_in_rate: Option<u32>,
    /// Proxies in front of the role edge whose X-Forwarded-For is believed: 10.0.0.0/8, or several.
    #[arg(
        long,
        env = "CK8S_TRUSTED_PROXIES",
        value_name = "NET[,NET...]",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<IpNet>,
}

impl SignInOptions {
    /// Resolves the options; without a public address, uses this one.
    pub(crate) fn resolve_with_default_url(mut self, url: &str) -> SignInSettings {
        let given = self.public_url.take();
        SignInSettings {
            issuer: given.clone(),
            public_url: given.or_else(|| Some(url.to_owned())),
            options: self,
        }
    }

    /// Resolves the options as they were given.
    pub(crate) fn resolve(self) -> SignInSettings {
        SignInSettings {
            issuer: self.public_url.clone(),
            public_url: self.public_url.clone(),
            options: self,
        }
    }
}

/// The options, and where people reach the server.
#[derive(Clone, Debug)]
pub(crate) struct SignInSettings {
    issuer: Option<String>,
    public_url: Option<String>,
    options: SignInOptions,
}

impl SignInSettings {
    /// Returns the settings of the auth service.
    pub(crate) fn auth(
        &self,
        secrets: &Secrets,
        certificates: Option<CertificateConfig>,
    ) -> Result<AuthConfig> {
        Ok(AuthConfig {
            certificates,
            sign_in: Some(self.config(secrets)?),
            first_admin: self.options.first_admin.clone(),
        })
    }

    fn config(&self, secrets: &Secrets) -> Result<SignInConfig> {
        let mut config = SignInConfig::new(secrets.key_ring()?);
        let url = |url: &Option<String>| url.as_deref().map(checked).transpose();
        if let Some(issuer) = url(&self.issuer)? {
            config.issuer = issuer;
        }
        config.public_url = url(&self.public_url)?;
        config.oauth = self.oauth(secrets)?;
        config.access_token_ttl = Duration::from_secs(self.options.access_token_ttl_s);
        config.signing_key_ttl = Duration::from_secs(self.options.signing_key_ttl_s);
        Ok(config)
    }

    fn oauth(&self, secrets: &Secrets) -> Result<Option<OAuthConfig>> {
        let id = self.options.github_client_id.as_deref().unwrap_or_default();
        match (id.trim(), &secrets.github_client_secret) {
            ("", None) => Ok(None),
            ("", Some(_)) => bail!(
                "CK8S_GITHUB_CLIENT_SECRET is set and CK8S_GITHUB_CLIENT_ID is not: both are of one OAuth app"
            ),
            (_, None) => bail!(
                "CK8S_GITHUB_CLIENT_ID is set and CK8S_GITHUB_CLIENT_SECRET is not: both are of one OAuth app"
            ),
            (id, Some(secret)) => Ok(Some(OAuthConfig {
                url: self.options.github_url.clone(),
                api_url: self.options.github_api_url.clone(),
                client_id: id.to_owned(),
                client_secret: secret.clone(),
            })),
        }
    }

    /// Returns where repositories are managed; none: the public address of the server is not known.
    pub(crate) fn managed_provider(
        &self,
        database_url: &SecretString,
    ) -> Result<Option<ManagedProvider>> {
        let Some(url) = self.public_url.as_deref().map(checked).transpose()? else {
            return Ok(None);
        };
        let github = GitHub::new(&self.options.github_api_url).context("CK8S_GITHUB_API_URL")?;
        Ok(Some(ManagedProvider {
            api: Arc::new(github),
            hook_url: format!("{url}/api/v1/webhooks/github"),
            console_url: url,
            database_url: database_url.clone(),
        }))
    }

    /// Tells the edge.
    pub(crate) fn edge(&self, mut config: EdgeConfig) -> Result<EdgeConfig> {
        config.public_url = self.public_url.as_deref().map(checked).transpose()?;
        if let Some(rate) = self.options.sign_in_rate {
            config.sign_in_rate = rate;
        }
        config.trusted_proxies = self.options.trusted_proxies.clone();
        Ok(config)
    }
}

/// Says which setting keeps the auth service from starting.
pub(crate) fn start_error(error: StartError) -> anyhow::Error {
    let setting = match &error {
        StartError::Authority(_) => "--mesh-ca",
        StartError::SignIn(_) => "the settings of sign-in",
        StartError::KeyRing(_) => {
            "CK8S_KEY_RING (without the key that sealed them, the rows of auth.signing_keys are of no use: remove them)"
        }
        StartError::FirstAdmin(_) => "CK8S_FIRST_ADMIN",
    };
    anyhow::Error::new(error).context(setting)
}

/// An address that browsers can be sent to, without a slash at the end.
fn checked(url: &str) -> Result<String> {
    let url = url.trim().trim_end_matches('/');
    let host = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(url.to_owned())
        }
        _ => bail!(
            "CK8S_PUBLIC_URL {url:?} is no address of a server: it looks like https://ck8s.example"
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: SignInOptions,
    }

    fn options(args: &[&str]) -> SignInOptions {
        Cli::parse_from([&["x"], args].concat()).options
    }

    fn secrets(secret: Option<&str>) -> Secrets {
        Secrets {
            key_ring: Some(ck8s_sealing::KeyRing::generate_text()),
            github_client_secret: secret.map(Into::into),
            ..Secrets::default()
        }
    }

    #[test]
    fn an_oauth_app_has_an_id_and_a_secret() {
        let oauth = |args: &[&str], secret| options(args).resolve().oauth(&secrets(secret));
        assert!(oauth(&[], None).unwrap().is_none());
        let id = ["--github-client-id", "me"];
        let one = oauth(&id, None).unwrap_err().to_string();
        assert!(one.contains("CK8S_GITHUB_CLIENT_SECRET is not"), "{one}");
        let other = oauth(&[], Some("hush")).unwrap_err().to_string();
        assert!(other.contains("CK8S_GITHUB_CLIENT_ID is not") && !other.contains("hush"));
        assert_eq!(
            oauth(&id, Some("hush")).unwrap().unwrap().url,
            "https://github.com"
        );
    }

    #[test]
    fn where_it_is_reached_is_an_address() {
        let public = options(&["--public-url", "https://ck8s.example/"]);
        let config = public.resolve().config(&secrets(None)).unwrap();
        assert_eq!(config.issuer, "https://ck8s.example");
        assert_eq!(config.public_url.as_deref(), Some("https://ck8s.example"));
        let local = options(&[]).resolve_with_default_url("http://127.0.0.1:8080");
        let config = local.config(&secrets(None)).unwrap();
        assert_eq!(config.issuer, "ck8s", "the same whatever the port is");
        assert_eq!(config.public_url.as_deref(), Some("http://127.0.0.1:8080"));
        for odd in [
            "ck8s.example",
            "https://",
            "https://a/b",
            "ftp://a",
            "https://a@b",
        ] {
            assert!(checked(odd).is_err(), "{odd}");
        }
    }
}
