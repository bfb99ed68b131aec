//! The expected result of a cell of the matrix, computed from the method's rule and the caller's roles.
use ck8s_proto::policy::v1::{Caller as Kinds, ProjectRole, Rule};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    call::Method,
    callers::{Caller, CallerKind},
    requests::{Object, Places, TestRequest},
};

/// The expected result of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The status of the table for a caller who may call.
    Code(Code),
    /// Any result of the handler; not a refusal of the guard.
    Anything,
    /// A response that contains this, and nothing that is hidden.
    List,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller is refused with this reason.
    Denied(&'static str),
    /// The object of this kind is reported as missing.
    Hidden(&'static str),
}

impl Expected {
    pub(crate) fn of(
        method: &Method,
        caller: &Caller,
        object: Object,
        request: &TestRequest,
    ) -> Self {
        let rule = method.rule.as_ref().expect("a rule");
        let lists = |kind| rule.callers().any(|c| c == kind);
        let may = |may: bool| {
            if may {
                Self::Anything
            } else {
                Self::Denied("NOT_ALLOWED")
            }
        };
        match &caller.kind {
            // What strangers may call, a token that is not valid keeps nobody from.
            CallerKind::Anonymous | CallerKind::Bad if lists(Kinds::Anonymous) => Self::Anything,
            CallerKind::Anonymous | CallerKind::Bad => Self::Unauthenticated,
            CallerKind::Admin if lists(Kinds::Admin) => Self::good(request),
            CallerKind::Admin => Self::Denied("NOT_ALLOWED"),
            CallerKind::Worker => may(lists(Kinds::Worker)),
            CallerKind::Service(role) => {
                let named = rule.services.iter().any(|s| s == role);
                // The edge passes on what anonymous callers may call.
                let stranger = *role == "edge" && lists(Kinds::Anonymous);
                may((lists(Kinds::Service) && named) || stranger)
            }
            CallerKind::Run { .. } if !lists(Kinds::Run) => Self::Denied("NOT_ALLOWED"),
            CallerKind::Run { named } => match (request.kind, *named && object == Object::Own) {
                ("", _) => Self::Anything,
                (_, true) => Self::Code(Code::Ok),
                (kind, false) => Self::Hidden(kind),
            },
            CallerKind::Person {
                own,
                most,
                everywhere,
            } => person(rule, (*own, *most, *everywhere), object, request),
        }
    }

    /// The expectation for a caller who may call and reaches the object.
    fn good(request: &TestRequest) -> Self {
        request.answer.map_or(Self::Anything, Self::Code)
    }

    /// Returns what is wrong with a result.
    pub(crate) fn differs(
        &self,
        answer: &Result<Vec<u8>, Status>,
        places: &Places,
        caller: &Caller,
    ) -> Option<String> {
        let (code, reason) = told(answer);
        let guards = [
            "UNAUTHENTICATED",
            "NOT_ALLOWED",
            "ROLE_NEEDED",
            "NOT_SERVED",
        ];
        let right = match self {
            Self::Code(expected) => code == *expected,
            Self::Anything => {
                // Some methods report whose a token is, with the guard's own reason.
                let own_no = code == Code::Unauthenticated;
                (own_no || !guards.contains(&reason.as_str())) && code != Code::Internal
            }
            Self::List => {
                let bytes = answer.as_deref().unwrap_or_default();
                let holds = |id: &str| bytes.windows(id.len()).any(|w| w == id.as_bytes());
                let others = holds(&places.others.project);
                let everywhere = matches!(
                    caller.kind,
                    CallerKind::Person {
                        everywhere: true,
                        ..
                    }
                );
                code == Code::Ok && holds(&places.own.project) && others == everywhere
            }
            Self::Unauthenticated => code == Code::Unauthenticated && reason == "UNAUTHENTICATED",
            Self::Denied(expected) => code == Code::PermissionDenied && reason == *expected,
            Self::Hidden(kind) => {
                code == Code::NotFound && reason == format!("{}_NOT_FOUND", kind.to_uppercase())
            }
        };
        (!right).then(|| format!("{code:?} {reason}, not {self:?} ({answer:?})"))
    }
}

type Roles = (Option<ProjectRole>, Option<ProjectRole>, bool);

fn person(
    rule: &Rule,
    (own, most, everywhere): Roles,
    object: Object,
    request: &TestRequest,
) -> Expected {
    let listed = rule.callers().any(|c| c == Kinds::Person);
    if !listed {
        return Expected::Denied("NOT_ALLOWED");
    }
    let here = match object {
        Object::Own => own,
        Object::Others | Object::None if everywhere => most,
        Object::Others | Object::None => None,
    };
    if rule.any_person {
        return match (request.kind, here) {
            ("project", None) => Expected::Hidden("project"),
            _ => Expected::good(request),
        };
    }
    let needed = Some(rule.project_role());
    if most < needed {
        return Expected::Denied("ROLE_NEEDED");
    }
    match (request.kind, here) {
        // A list names no object: it shows what the caller may see.
        ("", _) if own < needed => Expected::Code(Code::Ok),
        ("", _) => Expected::List,
        (kind, None) => Expected::Hidden(kind),
        (_, role) if role < needed => Expected::Denied("ROLE_NEEDED"),
        _ => Expected::good(request),
    }
}

fn told(answer: &Result<Vec<u8>, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => {
            let info = status.get_details_error_info();
            (status.code(), info.map(|i| i.reason).unwrap_or_default())
        }
    }
}
