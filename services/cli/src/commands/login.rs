//! `ck8s login`: a person confirms a code in a browser, and their session is stored; or an API token is stored instead.
use std::time::{Duration, SystemTime};

use ck8s_proto::auth::v1::{
    PollDeviceSignInRequest, PollDeviceSignInResponse, Session, SignOutRequest,
    StartDeviceSignInRequest, StartDeviceSignInResponse,
};
use clap::Args;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::whoami;
use crate::{
    GlobalOptions,
    args::read_token,
    connection::Connection,
    credentials::{CredentialStore, SessionTokens, StoredCredential},
    error::{CliError, ExitStatus, ResponseExt as _},
    output,
    spinner::Spinner,
    target::{Credential, Target},
};

const WHAT: &str = "cannot sign in";
/// How often the server is polled when it does not say how often it may be.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The arguments of `ck8s login`.
#[derive(Args, Clone, Debug)]
pub struct Login {
    /// Sign in with a code that is confirmed in a browser, on this or another machine. It is the only way for people,
    /// and so the default.
    #[arg(long)]
    pub device: bool,
}

pub(crate) async fn run(login: Login, options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let url = options.url()?;
    let store = CredentialStore::of_user().ok_or_else(|| {
        let why = "there is no directory to keep a session in";
        CliError::usage(WHAT, why, "set HOME or XDG_CONFIG_HOME, or use CK8S_TOKEN")
    })?;
    // Nobody is asked for what cannot be kept.
    store.lock()?.check_writable()?;
    let (stored, credential) = match &options.token_file {
        Some(_) if login.device => {
            let why = "--device and --token-file are two ways to sign in";
            return Err(CliError::usage(WHAT, why, "choose one"));
        }
        Some(file) => {
            let token = read_token(file)?;
            let text = secrecy::ExposeSecret::expose_secret(&token).to_owned();
            (
                StoredCredential::Token { token: text },
                Credential::Token(token),
            )
        }
        None => {
            let tokens: SessionTokens = sign_in(&url, options).await?.into();
            let credential = Credential::Session(store.clone(), tokens.clone());
            (StoredCredential::Session(tokens), credential)
        }
    };
    let target = Target {
        url: url.clone(),
        credential,
        ready: None,
    };
    let connection = Connection::connect(&target, options.output).await?;
    // A token is stored only if the server accepts it; a session is stored before anything can fail, so that it is
    // never lost.
    if let StoredCredential::Token { .. } = &stored {
        whoami::get(&connection).await?;
    }
    let before = {
        let locked = store.lock()?;
        let before = store.get(&url)?;
        locked.set(&url, stored)?;
        before
    };
    if let Some(StoredCredential::Session(old)) = before {
        end_session(&connection, old.refresh_token).await;
    }
    if std::env::var_os("CK8S_TOKEN").is_some_and(|token| !token.is_empty()) {
        output::note("CK8S_TOKEN is set and counts before what was kept now");
    }
    whoami::show(&connection).await?;
    Ok(ExitStatus::Success)
}

/// Lets a person confirm a code, and returns their session.
async fn sign_in(url: &str, options: &GlobalOptions) -> Result<Session, CliError> {
    let anonymous = Target::anonymous(url);
    let connection = Connection::connect(&anonymous, options.output).await?;
    let request = connection.client.request(StartDeviceSignInRequest {});
    let started = connection.client.auth().start_device_sign_in(request).await;
    let started = started.map_err(|status| refusal(&status))?.into_inner();
    output::note(&format!(
        "open {} and enter the code {}",
        started.verification_url, started.user_code
    ));
    poll(&connection, &started).await
}

/// Polls the server until the person has confirmed the code.
async fn poll(
    connection: &Connection,
    started: &StartDeviceSignInResponse,
) -> Result<Session, CliError> {
    let spinner = Spinner::new("waiting for you to confirm it");
    let deadline = started
        .expire_time
        .and_then(|at| SystemTime::try_from(at).ok());
    let mut interval = poll_interval(started.interval);
    loop {
        spinner.spin(interval).await;
        if deadline.is_some_and(|deadline| SystemTime::now() > deadline) {
            let why = "nobody confirmed the code in time";
            return Err(CliError::new(
                ExitStatus::NotAllowed,
                WHAT,
                why,
                "run `ck8s login` again",
            ));
        }
        let request = connection.client.request(PollDeviceSignInRequest {
            device_code: started.device_code.clone(),
        });
        match connection.client.auth().poll_device_sign_in(request).await {
            Ok(response) => match response.into_inner() {
                PollDeviceSignInResponse {
                    session: Some(session),
                    ..
                } => return Ok(session),
                PollDeviceSignInResponse {
                    interval: seconds, ..
                } => interval = poll_interval(seconds),
            },
            Err(status) => match retry_interval(&status, interval) {
                Some(longer) => interval = longer,
                None => return Err(refusal(&status)),
            },
        }
    }
}

/// Returns the interval after a transient error; none for an error that stays.
fn retry_interval(status: &Status, interval: Duration) -> Option<Duration> {
    let delay = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => {
            Some(delay.unwrap_or(interval).max(interval))
        }
        _ => None,
    }
}

/// Returns the interval that the server asks for.
fn poll_interval(seconds: i32) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        _ => DEFAULT_POLL_INTERVAL,
    }
}

/// Makes the error of a sign-in that the server refused.
fn refusal(status: &Status) -> CliError {
    let (exit, hint) = match status.code() {
        Code::PermissionDenied => (
            ExitStatus::NotAllowed,
            "ask an admin to allow your address, and see that it is verified at GitHub",
        ),
        Code::InvalidArgument | Code::Unauthenticated => {
            (ExitStatus::NotAllowed, "run `ck8s login` again")
        }
        Code::Aborted => (ExitStatus::Unavailable, "run `ck8s login` again"),
        Code::FailedPrecondition => (
            ExitStatus::Failed,
            "use an API token: `ck8s login --token-file F`",
        ),
        _ => return CliError::status(WHAT, status),
    };
    CliError::new(exit, WHAT, status.message(), hint)
}

/// Ends an earlier session; if that fails, it expires by itself.
async fn end_session(connection: &Connection, refresh_token: String) {
    let request = connection.client.request(SignOutRequest { refresh_token });
    let ended = connection.client.auth().sign_out(request).await;
    if let Err(error) = ended.context("the session before this one goes on") {
        output::note(&error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_transient_error_is_retried_and_never_sooner_than_before() {
        let five = Duration::from_secs(5);
        let gone = Status::unavailable("x");
        assert_eq!(retry_interval(&gone, five), Some(five));
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_secs(9)));
        let busy = Status::with_error_details(Code::ResourceExhausted, "x", details);
        assert_eq!(retry_interval(&busy, five), Some(Duration::from_secs(9)));
        assert_eq!(retry_interval(&Status::permission_denied("x"), five), None);
        assert_eq!(
            [0, -1, 3].map(poll_interval),
            [five, five, Duration::from_secs(3)]
        );
    }

    #[test]
    fn a_refused_sign_in_says_why_and_what_helps() {
        let error = refusal(&Status::permission_denied("you are not on the list"));
        assert_eq!(error.exit_status(), ExitStatus::NotAllowed);
        let text = error.to_string();
        assert!(text.starts_with("cannot sign in: you are not on the list; ask an admin"));
    }
}
