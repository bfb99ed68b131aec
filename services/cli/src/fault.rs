//! What goes wrong, as one line (what, why, what to do) and as an exit status.
use std::{fmt::Display, io, process::ExitCode};

use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// How a command ended. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It did not, or the run that it waited for did not succeed.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// The token is missing, not valid, or not enough.
    NotAllowed = 4,
    /// The server cannot be reached now.
    Unavailable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Code> for Exit {
    fn from(code: Code) -> Self {
        match code {
            Code::Ok => Self::Done,
            Code::InvalidArgument => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::Unauthenticated | Code::PermissionDenied => Self::NotAllowed,
            Code::Unavailable | Code::DeadlineExceeded => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

/// Why a command cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Something to tell.
    #[error("{what}: {why}{}{todo}", if todo.is_empty() { "" } else { "; " })]
    Told {
        /// The exit status.
        exit: Exit,
        /// What cannot be done.
        what: String,
        /// Why not.
        why: String,
        /// What to do; empty: nobody knows.
        todo: String,
    },
    /// Whoever read our output has had enough: nothing to tell, and no failure.
    #[error("standard output is closed")]
    Closed,
}

impl Fault {
    /// A fault with all its parts.
    pub(crate) fn new(
        exit: Exit,
        what: impl Display,
        why: impl Display,
        todo: impl Display,
    ) -> Self {
        Self::Told {
            exit,
            what: one_line(&what.to_string()),
            why: one_line(&why.to_string()),
            todo: one_line(&todo.to_string()),
        }
    }

    /// Asked wrongly.
    pub(crate) fn usage(what: impl Display, why: impl Display, todo: impl Display) -> Self {
        Self::new(Exit::Usage, what, why, todo)
    }

    /// A file that cannot be read.
    pub(crate) fn file(path: &std::path::Path, cause: &io::Error) -> Self {
        let todo = "name a file that can be read";
        Self::usage(format!("cannot read {}", path.display()), cause, todo)
    }

    /// What a server answered.
    pub(crate) fn status(what: impl Display, status: &Status) -> Self {
        Self::new(status.code().into(), what, why(status), todo(status))
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Told { exit, .. } => *exit,
            Self::Closed => Exit::Done,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::new(Exit::Failed, "cannot write the output", cause, "")
        }
    }
}

/// Takes the message out of an answer, or says what could not be done.
pub(crate) trait Answer<T> {
    /// `what` begins the error's line: "cannot ...".
    fn or_say(self, what: impl Display) -> Result<T, Fault>;
}

impl<T> Answer<T> for Result<Response<T>, Status> {
    fn or_say(self, what: impl Display) -> Result<T, Fault> {
        self.map(Response::into_inner)
            .map_err(|status| Fault::status(what, &status))
    }
}

/// The reason: the message, and each field that it does not name itself.
fn why(status: &Status) -> String {
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

/// What helps.
fn todo(status: &Status) -> String {
    let reason = status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    match status.code() {
        Code::Unauthenticated => {
            "sign in with `ck8s login`, or set CK8S_TOKEN to a valid token".to_owned()
        }
        Code::PermissionDenied => "use a platform admin's token".to_owned(),
        Code::NotFound => look(&reason),
        Code::Aborted => "read it again, then repeat".to_owned(),
        Code::OutOfRange => "start again without a cursor".to_owned(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
            let pause = status
                .get_details_retry_info()
                .and_then(|info| info.retry_delay);
            match pause {
                Some(pause) => format!("try again in {} s", pause.as_secs().max(1)),
                None if status.code() == Code::ResourceExhausted => "try again later".to_owned(),
                None => "check the server with --url, then try again".to_owned(),
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
        _ => remedy(&reason).to_owned(),
    }
}

/// Where to look for what was not found: `RUN_NOT_FOUND` says what it was.
fn look(reason: &str) -> String {
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

/// What helps against reasons that people meet.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "RUN_ENDED" => "`ck8s run retry` starts it again",
        "RUN_NOT_ENDED" => "`ck8s run cancel` ends it",
        "SECRET_MISSING" => "`ck8s repo secret set` sets it",
        "PROJECT_EXISTS" | "REPOSITORY_EXISTS" | "TOKEN_EXISTS" => "use that one, or another name",
        "PROJECT_IN_USE" => "remove its repositories; a project with runs stays",
        "INTERNAL" => "look there",
        _ => "",
    }
}

/// Line breaks and control characters would break the promise of one line, or a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn each_code_has_its_exit_status() {
        let statuses = [
            (Code::NotFound, 3),
            (Code::Unauthenticated, 4),
            (Code::PermissionDenied, 4),
            (Code::Unavailable, 5),
            (Code::DeadlineExceeded, 5),
            (Code::InvalidArgument, 2),
            (Code::FailedPrecondition, 1),
            (Code::Internal, 1),
            (Code::AlreadyExists, 1),
            (Code::Aborted, 1),
        ];
        for (code, number) in statuses {
            assert_eq!(
                Fault::status("x", &Status::new(code, "y")).exit() as u8,
                number,
                "{code:?}"
            );
        }
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
            Fault::status("cannot create project X", &status).to_string(),
            "cannot create project X: line one line [31mtwo, slug: must be lower case; see --help"
        );
    }

    #[test]
    fn what_is_not_found_can_be_looked_up() {
        let details = ErrorDetails::with_error_info("REPOSITORY_NOT_FOUND", "ck8s", []);
        let status = Status::with_error_details(Code::NotFound, "no repository \"a/b\"", details);
        assert_eq!(
            Fault::status("cannot get repository a/b", &status).to_string(),
            "cannot get repository a/b: no repository \"a/b\"; `ck8s repo list` shows what there is"
        );
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(std::time::Duration::from_secs(7)));
        let busy = Status::with_error_details(Code::ResourceExhausted, "too many", details);
        let text = Fault::status("cannot sign in", &busy).to_string();
        assert_eq!(text, "cannot sign in: too many; try again in 7 s");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let fault = Fault::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(fault.exit(), Exit::Done);
    }
}
