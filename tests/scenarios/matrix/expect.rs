//! What a cell of the matrix should say, from the method's rule and the caller's roles.
use ck8s_proto::policy::v1::{Caller as Kinds, ProjectRole, Rule};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    call::Method,
    callers::{Caller, Kind},
    requests::{Asked, Object, Places},
};

/// How a call should end.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    /// With what the table says for who may.
    Answer(Code),
    /// With whatever the handler says, which is not the guard's no.
    Anything,
    /// With an answer in which this stands, and nothing of what is hidden.
    List,
    /// Nobody known may not.
    Unauthenticated,
    /// With this reason.
    Denied(&'static str),
    /// As what does not exist: this kind of thing.
    Hidden(&'static str),
}

impl Expected {
    pub fn of(method: &Method, caller: &Caller, object: Object, asked: &Asked) -> Self {
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
            Kind::Bad => Self::Unauthenticated,
            Kind::Anonymous if lists(Kinds::Anonymous) => Self::Anything,
            Kind::Anonymous => Self::Unauthenticated,
            Kind::Admin if lists(Kinds::Admin) => Self::good(asked),
            Kind::Admin => Self::Denied("NOT_ALLOWED"),
            Kind::Worker => may(lists(Kinds::Worker)),
            Kind::Service(role) => {
                let named = rule.services.iter().any(|s| s == role);
                // What strangers may, the edge hands on for them.
                let stranger = *role == "edge" && lists(Kinds::Anonymous);
                may((lists(Kinds::Service) && named) || stranger)
            }
            Kind::Run { .. } if !lists(Kinds::Run) => Self::Denied("NOT_ALLOWED"),
            Kind::Run { named } => match (asked.kind, *named && object == Object::Own) {
                ("", _) => Self::Anything,
                (_, true) => Self::Answer(Code::Ok),
                (kind, false) => Self::Hidden(kind),
            },
            Kind::Person {
                own,
                most,
                everywhere,
            } => person(rule, (*own, *most, *everywhere), object, asked),
        }
    }

    /// For who may, and reaches what is named.
    fn good(asked: &Asked) -> Self {
        asked.answer.map_or(Self::Anything, Self::Answer)
    }

    /// What is wrong with an answer.
    pub fn differs(
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
            Self::Answer(expected) => code == *expected,
            Self::Anything => {
                // Some methods are there to say whose a token is, and say so in the guard's word.
                let own_no = code == Code::Unauthenticated;
                (own_no || !guards.contains(&reason.as_str())) && code != Code::Internal
            }
            Self::List => {
                let bytes = answer.as_deref().unwrap_or_default();
                let holds = |id: &str| bytes.windows(id.len()).any(|w| w == id.as_bytes());
                let others = holds(&places.others.project);
                let everywhere = matches!(
                    caller.kind,
                    Kind::Person {
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

fn person(rule: &Rule, (own, most, everywhere): Roles, object: Object, asked: &Asked) -> Expected {
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
        return match (asked.kind, here) {
            ("project", None) => Expected::Hidden("project"),
            _ => Expected::good(asked),
        };
    }
    let needed = Some(rule.project_role());
    if most < needed {
        return Expected::Denied("ROLE_NEEDED");
    }
    match (asked.kind, here) {
        // A list names nothing: it shows what they may see.
        ("", _) if own < needed => Expected::Answer(Code::Ok),
        ("", _) => Expected::List,
        (kind, None) => Expected::Hidden(kind),
        (_, role) if role < needed => Expected::Denied("ROLE_NEEDED"),
        _ => Expected::good(asked),
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
