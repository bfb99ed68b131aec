//! Creates, finds and revokes tokens of the API, and decides what they permit.
use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::{
    accounts::Account,
    random::random,
    repository::Repository,
    token::{Installation, May, Needed, Permissions, Token, Verdict},
    world::GitHubWorld,
};

impl GitHubWorld {
    /// Creates a classic personal access token.
    ///
    /// # Panics
    /// When there is no such person.
    pub fn classic_token(&mut self, login: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.add_token(login, "ghp", May::Classic(scopes))
    }

    /// Creates a fine-grained personal access token for one repository.
    ///
    /// # Panics
    /// When there is no such person.
    pub fn fine_token(&mut self, login: &str, repository: u64, may: &[(&str, &str)]) -> String {
        let permissions = Permissions {
            levels: levels(may),
            repositories: BTreeSet::from([repository]),
        };
        self.add_token(login, "github_pat", May::Fine(permissions))
    }

    /// Revokes a token.
    pub fn revoke(&mut self, token: &str) {
        self.api_tokens.remove(token);
    }

    /// Revokes the tokens of all installations before they expire.
    pub fn revoke_installed(&mut self) {
        self.api_tokens
            .retain(|_, token| !matches!(token.may, May::Installation(..)));
    }

    /// Installs an app in these repositories, with these permissions.
    ///
    /// # Panics
    /// When no key can be generated.
    pub fn install(&mut self, slug: &str, on: &[u64], may: &[(&str, &str)]) -> Installation {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der = key.as_der().expect("a key in DER");
        let (app_id, id, bot_id) = (self.next_id(), self.next_id(), self.next_id());
        let installation = Installation {
            app_id,
            id,
            slug: slug.to_owned(),
            bot_id,
            private_key: pem(der.as_ref()),
            permissions: levels(may),
            repositories: on.iter().copied().collect(),
            public_key: key.public_key().as_ref().to_vec(),
        };
        let bot = Account {
            emails: Vec::new(),
            ..Account::new(bot_id, &format!("{slug}[bot]"), "")
        };
        self.people.push(bot);
        let key = installation.private_key.clone();
        self.tell("an app's private key", key);
        self.installations.push(installation.clone());
        installation
    }

    fn add_token(&mut self, login: &str, prefix: &str, may: May) -> String {
        let user_id = self.by_login(login).expect("a person").id;
        self.issue(prefix, Token { user_id, may })
    }

    pub(crate) fn issue(&mut self, prefix: &str, token: Token) -> String {
        let text = format!("{prefix}_{}", random(18));
        self.tell("a token of GitHub's API", text.clone());
        self.api_tokens.insert(text.clone(), token);
        text
    }

    /// Returns a token that has not expired.
    pub(crate) fn token(&self, text: &str) -> Option<Token> {
        let now = self.now();
        let token = self.api_tokens.get(text)?;
        let lives = !matches!(token.may, May::Installation(_, ends) if ends <= now);
        lives.then(|| token.clone())
    }

    /// Returns the app that signed a JWT, if its times are valid: it may live ten minutes.
    pub(crate) fn app_of(&self, jwt: &str) -> Option<&Installation> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (_, claims) = signed.split_once('.')?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let issuer = &claims["iss"];
        let app_id = issuer.as_u64().or_else(|| issuer.as_str()?.parse().ok())?;
        let (from, until) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
        let now = self.unix_now();
        if from > now || until <= now || until - now > 600 {
            return None;
        }
        let app = self.installations.iter().find(|app| app.app_id == app_id)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        key.verify(signed.as_bytes(), &signature).ok()?;
        Some(app)
    }

    /// Checks whether a token has a permission in a repository.
    pub(crate) fn verdict(&self, token: &Token, on: &Repository, needed: &Needed) -> Verdict {
        let login = self.by_id(token.user_id).map(|person| &person.login);
        let role = login.and_then(|login| on.roles.get(login));
        let role = role.map_or(if on.private { "" } else { "read" }, String::as_str);
        match &token.may {
            May::Classic(_) | May::Fine(_) if role.is_empty() => Verdict::Hidden,
            May::Classic(scopes) => classic(scopes, on, role, needed),
            May::Fine(may) => {
                let why = "Resource not accessible by personal access token";
                match fine(may, on, needed, why) {
                    Verdict::Yes => person(role, needed),
                    other => other,
                }
            }
            May::Installation(may, _) => {
                fine(may, on, needed, "Resource not accessible by integration")
            }
        }
    }
}

/// Reports whether a role includes a permission.
fn person(role: &str, needed: &Needed) -> Verdict {
    let writer = ["admin", "maintain", "write"].contains(&role);
    match needed.permission {
        "repository_hooks" if role != "admin" => Verdict::Hidden,
        "statuses" if needed.write && !writer => Verdict::Hidden,
        "collaborators" if !writer => {
            Verdict::Denied("Must have push access to view collaborator permission.")
        }
        _ => Verdict::Yes,
    }
}

fn classic(scopes: &BTreeSet<String>, on: &Repository, role: &str, needed: &Needed) -> Verdict {
    let has = |names: &[&str]| names.iter().any(|name| scopes.contains(*name));
    if on.private && !has(&["repo"]) {
        return Verdict::Hidden;
    }
    let enough = match (needed.permission, needed.write) {
        ("repository_hooks", true) => has(&["repo", "admin:repo_hook", "write:repo_hook"]),
        ("repository_hooks", false) => has(&[
            "repo",
            "admin:repo_hook",
            "write:repo_hook",
            "read:repo_hook",
        ]),
        ("statuses", true) => has(&["repo", "public_repo", "repo:status"]),
        (_, true) => has(&["repo", "public_repo"]),
        (_, false) => true,
    };
    if enough {
        person(role, needed)
    } else {
        Verdict::Hidden
    }
}

fn fine(may: &Permissions, on: &Repository, needed: &Needed, why: &'static str) -> Verdict {
    // Every token may read what is public.
    let public = !on.private && !needed.write && needed.permission != "repository_hooks";
    if !may.repositories.contains(&on.id) {
        return if public {
            Verdict::Yes
        } else {
            Verdict::Hidden
        };
    }
    let name = match needed.permission {
        "collaborators" => "metadata",
        name => name,
    };
    let level = may.levels.get(name).map(String::as_str);
    let enough = level == Some("write") || (level == Some("read") && !needed.write);
    if enough || public || name == "metadata" {
        Verdict::Yes
    } else {
        Verdict::Denied(why)
    }
}

fn levels(may: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = may.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    owned.collect()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}
