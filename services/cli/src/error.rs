//! The error of a command: one line (what, why, what to do) and an exit status.
use std::{error::Error, fmt::Display, io, process::ExitCode};

use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::text::one_line;

/// The exit status of a command. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command did what it was asked.
    Success = 0,
    /// It failed, or the run that it waited for did not succeed.
    Failed = 1,
    /// Its arguments or its input are wrong.
    Usage = 2,
    /// What it names does not exist.
    NotFound = 3,
    /// The token is missing, invalid, or gives too few rights.
    NotAllowed = 4,
    /// The server cannot be reached now, or does not answer.
    Unavailable = 5,
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Code> for ExitStatus {
    fn from(code: Code) -> Self {
        match code {
            Code::Ok => Self::Success,
            Code::InvalidArgument => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::Unauthenticated | Code::PermissionDenied => Self::NotAllowed,
            // A call that its own time limit ended is canceled.
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl From<&Status> for ExitStatus {
    /// A status with a source is not the server's: the connection failed, or no answer came.
    fn from(status: &Status) -> Self {
        match status.source() {
            Some(_) => Self::Unavailable,
            None => status.code().into(),
        }
    }
}

/// Why a command cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// An error to print.
    #[error("{what}: {why}{}{hint}", if hint.is_empty() { "" } else { "; " })]
    Message {
        /// The exit status.
        exit: ExitStatus,
        /// What cannot be done.
        what: String,
        /// Why not.
        why: String,
        /// What to do; empty when there is nothing to suggest.
        hint: String,
    },
    /// The reader of standard output has closed it: nothing is printed, and it is no failure.
    #[error("standard output is closed")]
    OutputClosed,
}

impl CliError {
    /// Makes an error from all its parts.
    pub(crate) fn new(
        exit: ExitStatus,
        what: impl Display,
        why: impl Display,
        hint: impl Display,
    ) -> Self {
        Self::Message {
            exit,
            what: one_line(&what.to_string()),
            why: one_line(&why.to_string()),
            hint: one_line(&hint.to_string()),
        }
    }

    /// Makes the error of a wrong argument or a wrong input.
    pub(crate) fn usage(what: impl Display, why: impl Display, hint: impl Display) -> Self {
        Self::new(ExitStatus::Usage, what, why, hint)
    }

    /// Makes the error of a file that cannot be read.
    pub(crate) fn file(path: &std::path::Path, cause: &io::Error) -> Self {
        let hint = "name a file that can be read";
        Self::usage(format!("cannot read {}", path.display()), cause, hint)
    }

    /// Makes the error of a status that the server returned.
    pub(crate) fn status(what: impl Display, status: &Status) -> Self {
        Self::new(status.into(), what, why(status), hint(status))
    }

    /// Returns the exit status.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Message { exit, .. } => *exit,
            Self::OutputClosed => ExitStatus::Success,
        }
    }
}

impl From<io::Error> for CliError {
    fn from(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::new(ExitStatus::Failed, "cannot write the output", cause, "")
        }
    }
}

/// Takes the message out of a response, and gives an error its context.
pub(crate) trait ResponseExt<T> {
    /// Returns the message; the error's line begins with `what`: "cannot ...".
    fn context(self, what: impl Display) -> Result<T, CliError>;
}

impl<T> ResponseExt<T> for Result<Response<T>, Status> {
    fn context(self, what: impl Display) -> Result<T, CliError> {
        self.map(Response::into_inner)
            .map_err(|status| CliError::status(what, &status))
    }
}

/// Returns the innermost cause, which says most.
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}

/// Returns the status's message, and each field violation that the message does not contain.
fn why(status: &Status) -> String {
    if let Some(cause) = status.source() {
        return match root_cause(cause).as_str() {
            "Timeout expired" => "the server did not answer in time".to_owned(),
            cause => cause.to_owned(),
        };
    }
    let mut why = match status.message() {
        "" => format!("the server answered {:?}", status.code()),
        message => message.to_owned(),
    };
    let fields = status
        .get_details_bad_request()
        .map(|details| details.field_violations);
    for field in fields.unwrap_or_default() {
        if !why.contains(&field.description) {
            why.push_str(&format!(", {}: {}", field.field, field.description));
        }
    }
    why
}

const CHECK_SERVER: &str = "check the server with --url, then try again";

/// Returns what the caller can do about it.
fn hint(status: &Status) -> String {
    let reason = status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    match status.code() {
        _ if status.source().is_some() => CHECK_SERVER.to_owned(),
        Code::Unauthenticated => {
            "sign in with `ck8s login`, or set CK8S_TOKEN to a valid token".to_owned()
        }
        Code::PermissionDenied if reason == "SECRETS_NEED_ADMIN" => {
            "ask an admin of the project".to_owned()
        }
        Code::PermissionDenied => "use a platform admin's token".to_owned(),
        Code::NotFound => not_found_hint(&reason),
        Code::Aborted => "read it again, then repeat".to_owned(),
        Code::OutOfRange => "start again without a cursor".to_owned(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
            let delay = status
                .get_details_retry_info()
                .and_then(|info| info.retry_delay);
            match delay {
                Some(delay) => format!("try again in {} s", delay.as_secs().max(1)),
                None if status.code() == Code::ResourceExhausted => "try again later".to_owned(),
                None => CHECK_SERVER.to_owned(),
            }
        }
        Code::Unimplemented => {
            "the server may be older than this program: compare their versions".to_owned()
        }
        Code::InvalidArgument => {
            let about_services = status.message().starts_with("services_text");
            let where_to_look = if about_services {
                "docs/services-yaml.md"
            } else {
                "--help"
            };
            format!("see {where_to_look}")
        }
        _ => reason_hint(&reason).to_owned(),
    }
}

/// Returns where to look for what was not found: the reason says what it was, as `RUN_NOT_FOUND` does.
fn not_found_hint(reason: &str) -> String {
    let noun = match reason.strip_suffix("_NOT_FOUND") {
        Some("REPOSITORY") => "repo",
        Some("PROJECT") => "project",
        Some("RUN") => "run",
        Some("DELIVERY") => "delivery",
        Some("TOKEN") => "token",
        Some("WORKER") => "worker",
        Some("TRIGGER") => return "`ck8s repo get` shows the repository's triggers".to_owned(),
        _ => return "`list` shows what there is".to_owned(),
    };
    format!("`ck8s {noun} list` shows what there is")
}

/// Returns what helps against the reasons that people meet.
fn reason_hint(reason: &str) -> &'static str {
    match reason {
        "RUN_ENDED" => "`ck8s run retry` starts it again",
        "RUN_NOT_ENDED" => "`ck8s run cancel` ends it",
        "REPOSITORY_AMBIGUOUS" => "`ck8s repo list` shows the ids",
        "SECRET_MISSING" => "`ck8s repo secret set` sets it",
        "PROJECT_EXISTS" | "REPOSITORY_EXISTS" | "TOKEN_EXISTS" => "use that one, or another name",
        "PROJECT_IN_USE" => "remove its repositories; a project with runs stays",
        "INTERNAL" => "look there",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn each_status_code_has_its_exit_status() {
        let statuses = [
            (Code::NotFound, 3),
            (Code::Unauthenticated, 4),
            (Code::PermissionDenied, 4),
            (Code::Unavailable, 5),
            (Code::DeadlineExceeded, 5),
            (Code::Cancelled, 5),
            (Code::InvalidArgument, 2),
            (Code::FailedPrecondition, 1),
            (Code::Internal, 1),
            (Code::AlreadyExists, 1),
            (Code::Aborted, 1),
        ];
        for (code, number) in statuses {
            assert_eq!(
                CliError::status("x", &Status::new(code, "y")).exit_status() as u8,
                number,
                "{code:?}"
            );
        }
    }

    #[test]
    fn a_failed_connection_is_unavailable_whatever_its_code() {
        let reset = io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer");
        let status = Status::from_error(Box::new(reset));
        assert_eq!(status.code(), Code::Unknown);
        let error = CliError::status("cannot list runs", &status);
        assert_eq!(error.exit_status(), ExitStatus::Unavailable);
        assert_eq!(
            error.to_string(),
            "cannot list runs: reset by peer; check the server with --url, then try again"
        );
    }

    #[test]
    fn an_error_is_one_line_with_what_why_and_what_to_do() {
        let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "ck8s", []);
        details.add_bad_request_violation("slug", "must be lower case");
        let status = Status::with_error_details(
            Code::InvalidArgument,
            "line one\nline \u{1b}[31mtwo",
            details,
        );
        assert_eq!(
            CliError::status("cannot create project X", &status).to_string(),
            "cannot create project X: line one line [31mtwo, slug: must be lower case; see --help"
        );
    }

    #[test]
    fn an_error_says_where_to_look_for_what_was_not_found() {
        let details = ErrorDetails::with_error_info("REPOSITORY_NOT_FOUND", "ck8s", []);
        let status = Status::with_error_details(Code::NotFound, "no repository \"a/b\"", details);
        assert_eq!(
            CliError::status("cannot get repository a/b", &status).to_string(),
            "cannot get repository a/b: no repository \"a/b\"; `ck8s repo list` shows what there is"
        );
    }

    #[test]
    fn a_limit_says_when_to_try_again() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(std::time::Duration::from_secs(7)));
        let busy = Status::with_error_details(Code::ResourceExhausted, "too many", details);
        let text = CliError::status("cannot sign in", &busy).to_string();
        assert_eq!(text, "cannot sign in: too many; try again in 7 s");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.exit_status(), ExitStatus::Success);
    }
}
