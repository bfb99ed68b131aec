//! `ck8s login`: a person confirms a code in a browser, and their session is kept; or an API token is kept instead.
use std::time::{Duration, SystemTime};

use ck8s_proto::auth::v1::{
    PollDeviceSignInRequest, PollDeviceSignInResponse, Session as Signed, SignOutRequest,
    StartDeviceSignInRequest, StartDeviceSignInResponse,
};
use clap::Args;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::whoami;
use crate::{
    Global,
    credentials::{Kept, Store, Tokens},
    fault::{Answer, Exit, Fault},
    global::{Target, Who, read_token},
    output,
    session::Session,
    waiting::Waiting,
};

const WHAT: &str = "cannot sign in";
/// Where the server does not say how often to ask.
const INTERVAL: Duration = Duration::from_secs(5);

/// How to sign in.
#[derive(Args, Clone, Debug)]
pub struct Login {
    /// Signs in with a code that is confirmed in a browser, on this or another machine. That is the only way for people, and so the default.
    #[arg(long)]
    pub device: bool,
}

pub(crate) async fn run(login: Login, global: &Global) -> Result<Exit, Fault> {
    let url = global.url()?;
    let store = Store::of_user().ok_or_else(|| {
        let why = "there is no directory to keep a session in";
        Fault::usage(WHAT, why, "set HOME or XDG_CONFIG_HOME, or use CK8S_TOKEN")
    })?;
    let (kept, who) = match &global.token_file {
        Some(_) if login.device => {
            let why = "--device and --token-file are two ways to sign in";
            return Err(Fault::usage(WHAT, why, "choose one"));
        }
        Some(file) => {
            let token = read_token(file)?;
            let text = secrecy::ExposeSecret::expose_secret(&token).to_owned();
            (Kept::Token { token: text }, Who::Token(token))
        }
        None => {
            let tokens: Tokens = confirmed(&url, global).await?.into();
            let who = Who::SignedIn(store.clone(), tokens.clone());
            (Kept::Session(tokens), who)
        }
    };
    let target = Target {
        url: url.clone(),
        who,
        ready: None,
    };
    let session = Session::connect(&target, global.output).await?;
    // A token that the server does not know is not kept; a session is kept first, so that it is never lost.
    if let Kept::Token { .. } = &kept {
        whoami::ask(&session).await?;
    }
    let before = {
        let held = store.hold()?;
        let before = store.of(&url)?;
        held.keep(&url, kept)?;
        before
    };
    if let Some(Kept::Session(old)) = before {
        end(&session, old.refresh_token).await;
    }
    if std::env::var_os("CK8S_TOKEN").is_some_and(|token| !token.is_empty()) {
        output::note("CK8S_TOKEN is set and counts before what was kept now");
    }
    whoami::show(&session).await?;
    Ok(Exit::Done)
}

/// Lets a person confirm, and returns their session.
async fn confirmed(url: &str, global: &Global) -> Result<Signed, Fault> {
    let nobody = Target {
        url: url.to_owned(),
        who: Who::Nobody,
        ready: None,
    };
    let session = Session::connect(&nobody, global.output).await?;
    let request = session.client.ask(StartDeviceSignInRequest {});
    let started = session.client.auth().start_device_sign_in(request).await;
    let started = started.map_err(|status| refused(&status))?.into_inner();
    output::note(&format!(
        "open {} and enter the code {}",
        started.verification_url, started.user_code
    ));
    wait(&session, &started).await
}

/// Asks as often as it may until the person has decided.
async fn wait(session: &Session, started: &StartDeviceSignInResponse) -> Result<Signed, Fault> {
    let waiting = Waiting::begin("waiting for you to confirm it");
    let until = started
        .expire_time
        .and_then(|at| SystemTime::try_from(at).ok());
    let mut interval = pause(started.interval);
    loop {
        waiting.pause(interval).await;
        if until.is_some_and(|until| SystemTime::now() > until) {
            let why = "nobody confirmed the code in time";
            return Err(Fault::new(
                Exit::NotAllowed,
                WHAT,
                why,
                "run `ck8s login` again",
            ));
        }
        let request = session.client.ask(PollDeviceSignInRequest {
            device_code: started.device_code.clone(),
        });
        match session.client.auth().poll_device_sign_in(request).await {
            Ok(answer) => match answer.into_inner() {
                PollDeviceSignInResponse {
                    session: Some(signed),
                    ..
                } => return Ok(signed),
                PollDeviceSignInResponse {
                    interval: seconds, ..
                } => interval = pause(seconds),
            },
            Err(status) => match later(&status, interval) {
                Some(longer) => interval = longer,
                None => return Err(refused(&status)),
            },
        }
    }
}

/// When to ask again after an error that passes by.
fn later(status: &Status, interval: Duration) -> Option<Duration> {
    let told = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
            Some(told.unwrap_or(interval).max(interval))
        }
        _ => None,
    }
}

fn pause(seconds: i32) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        _ => INTERVAL,
    }
}

/// Why the server lets nobody in.
fn refused(status: &Status) -> Fault {
    let (exit, todo) = match status.code() {
        Code::PermissionDenied => (
            Exit::NotAllowed,
            "ask an admin to allow your address, and see that it is verified at GitHub",
        ),
        Code::InvalidArgument | Code::Unauthenticated => {
            (Exit::NotAllowed, "run `ck8s login` again")
        }
        Code::FailedPrecondition => (
            Exit::Failed,
            "use an API token: `ck8s login --token-file F`",
        ),
        _ => return Fault::status(WHAT, status),
    };
    Fault::new(exit, WHAT, status.message(), todo)
}

/// Ends an earlier session; where that fails, it ends by its own time.
async fn end(session: &Session, refresh_token: String) {
    let request = session.client.ask(SignOutRequest { refresh_token });
    let ended = session.client.auth().sign_out(request).await;
    if let Err(fault) = ended.or_say("the session before this one goes on") {
        output::note(&fault.to_string());
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn what_passes_by_is_asked_again_and_never_sooner_than_before() {
        let five = Duration::from_secs(5);
        let gone = Status::unavailable("x");
        assert_eq!(later(&gone, five), Some(five));
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_secs(9)));
        let busy = Status::with_error_details(Code::ResourceExhausted, "x", details);
        assert_eq!(later(&busy, five), Some(Duration::from_secs(9)));
        assert_eq!(later(&Status::permission_denied("x"), five), None);
        assert_eq!([0, -1, 3].map(pause), [five, five, Duration::from_secs(3)]);
    }

    #[test]
    fn who_is_not_let_in_is_told_why_and_what_helps() {
        let fault = refused(&Status::permission_denied("you are not on the list"));
        assert_eq!(fault.exit(), Exit::NotAllowed);
        let text = fault.to_string();
        assert!(text.starts_with("cannot sign in: you are not on the list; ask an admin"));
    }
}
