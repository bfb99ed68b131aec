//! `ck8s admin ensure`: the first admin of a database on which no server has run yet. It needs the database's own address, as
//! `ck8s migrate` does, so it gives nobody a right that they did not have.
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use ck8s_auth::Auth;
use ck8s_db::ServiceRole;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use crate::config::database_url;

/// What is done about admins.
#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Makes the text in a file a platform admin's token; one of the same name ends. Safe to run again: nothing changes then.
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
}

/// Runs it.
pub async fn run(command: AdminCommand, token_file: Option<PathBuf>) -> Result<ExitCode> {
    let AdminCommand::Ensure { name } = command;
    let path = token_file.context("which token? give --token-file")?;
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let token = SecretString::from(text.trim());
    let url = database_url().context("which database? set CK8S_DATABASE_URL or DATABASE_URL")?;
    ck8s_db::migrate::usable(url.expose_secret())
        .await
        .context("run `ck8s migrate up` first")?;
    let pool = ck8s_db::connect(url.expose_secret(), ServiceRole::Auth, 1).await?;
    let changed = Auth::new(pool.clone())
        .give_admin_token(&name, token.expose_secret())
        .await?;
    pool.close().await;
    if changed {
        crate::out(format_args!("the admin's token {name} is made"));
    } else {
        crate::out(format_args!("the admin's token {name} is there already"));
    }
    Ok(ExitCode::SUCCESS)
}
