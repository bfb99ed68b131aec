//! `ck8s admin`: admins of a database, for whoever has it at hand. It needs the database's own address, as `ck8s
//! migrate` does, so it gives nobody a right that they did not have.
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use ck8s_auth::Bootstrap;
use ck8s_db::ServiceRole;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;

use crate::config::database_url;

/// The verbs about admins.
#[derive(Subcommand, Debug)]
pub(crate) enum AdminCommand {
    /// Makes the text in a file a platform admin's token; one of the same name ends. Safe to run again: nothing changes
    /// then.
    #[command(after_help = "\
The token is `ck8s_adm_` and at least 43 random characters: echo \"ck8s_adm_$(openssl rand -hex 32)\". Only its hash is stored, and
it is never shown. The database comes from CK8S_DATABASE_URL or DATABASE_URL.

Example:
  ck8s admin ensure --name deploy --token-file token")]
    Ensure {
        /// What people call the token.
        #[arg(long, default_value = "deploy")]
        name: String,
    },
    /// Lets an address sign in as a platform admin: the way back in when nobody can. Safe to run again.
    #[command(after_help = "\
The database comes from CK8S_DATABASE_URL or DATABASE_URL. Running servers know it at once.

Example:
  ck8s admin grant ada@example.com")]
    Grant {
        /// Their address: verified at GitHub, it lets them in.
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Forgets the GitHub account that signed in with it, and ends its sessions: the next one that signs in is
        /// theirs.
        #[arg(long)]
        forget_identity: bool,
    },
}

/// Runs it.
pub(crate) async fn run(command: AdminCommand, token_file: Option<PathBuf>) -> Result<ExitCode> {
    match command {
        AdminCommand::Ensure { name } => {
            let path = token_file.context("which token? give --token-file")?;
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure(&name, &SecretString::from(ck8s_cli::token_text(&text))).await?;
        }
        AdminCommand::Grant {
            email,
            forget_identity,
        } => grant(&email, forget_identity).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn ensure(name: &str, token: &SecretString) -> Result<()> {
    let pool = connect().await?;
    let changed = Bootstrap::new(pool.clone())
        .set_admin_token(name, token.expose_secret())
        .await?;
    pool.close().await;
    if changed {
        crate::out(format_args!("the admin's token {name} is made"));
    } else {
        crate::out(format_args!("the admin's token {name} is there already"));
    }
    Ok(())
}

async fn grant(email: &str, forget_identity: bool) -> Result<()> {
    let pool = connect().await?;
    let granted = Bootstrap::new(pool.clone())
        .grant_admin(email, forget_identity)
        .await?;
    pool.close().await;
    if granted.promoted {
        crate::out(format_args!("{email} may sign in as a platform admin"));
    } else {
        crate::out(format_args!("{email} is a platform admin already"));
    }
    if granted.identity_forgotten {
        crate::out(format_args!(
            "the GitHub account is forgotten and its sessions have ended: the next one with this address is theirs"
        ));
    }
    Ok(())
}

async fn connect() -> Result<PgPool> {
    let url = database_url().context("which database? set CK8S_DATABASE_URL or DATABASE_URL")?;
    ck8s_db::migrate::usable(url.expose_secret())
        .await
        .context("run `ck8s migrate up` first")?;
    Ok(ck8s_db::connect(url.expose_secret(), ServiceRole::Auth, 1).await?)
}
