//! One call as operators see it: a span, a line when it ends, a count and a time.
use std::{sync::Arc, time::Instant};

use http::Response;
use tonic::{Code, Status, body::Body};
use tracing::{Span, field};

use crate::Caller;

/// A call under way; says CANCELLED if it is dropped before it ends.
pub(super) struct Observed {
    method: Arc<str>,
    span: Span,
    started: Instant,
    ended: bool,
}

impl Observed {
    /// A call begins. What the contract does not know is one method to the metrics, so that strangers cannot fill them.
    pub fn start(method: Option<Arc<str>>) -> Self {
        Self {
            method: method.unwrap_or_else(|| "unknown".into()),
            span: Span::none(),
            started: Instant::now(),
            ended: false,
        }
    }

    /// It is known who calls.
    pub fn admitted(mut self, caller: &Caller) -> Self {
        self.span = tracing::info_span!("grpc", method = &*self.method, caller = field::Empty);
        if !self.span.is_disabled() {
            self.span.record("caller", caller.actor());
        }
        self
    }

    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// It ended before the handler answered.
    pub fn refused(self, status: Status) -> Response<Body> {
        self.finish(status.code());
        status.into_http()
    }

    /// It ended.
    pub fn finish(mut self, code: Code) {
        self.end(code);
    }

    pub fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.started.elapsed();
        let (method, word) = (self.method.clone(), word(code));
        metrics::counter!("ck8s_grpc_requests_total", "method" => method.clone(), "code" => word)
            .increment(1);
        metrics::histogram!("ck8s_grpc_seconds", "method" => method.clone()).record(took);
        let _entered = self.span.enter();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match code {
            Code::Internal | Code::Unknown | Code::DataLoss => {
                tracing::warn!(method = &*method, code = word, ms, "call");
            }
            // What is the caller's doing is no line of the log by default: a stranger could fill it.
            _ => tracing::debug!(method = &*method, code = word, ms, "call"),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The code as gRPC spells it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
