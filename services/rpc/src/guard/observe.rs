//! One call as operators see it: a span, a log line when it ends, a count and a duration.
use std::{sync::Arc, time::Instant};

use http::Response;
use tonic::{Code, Status, body::Body};
use tracing::{Span, field};

use crate::Caller;

/// A call under way. It counts as CANCELLED if it is dropped before it ends.
pub(super) struct Observation {
    method: Arc<str>,
    span: Span,
    started: Instant,
    ended: bool,
}

impl Observation {
    /// Begins a call. Methods that the contract does not know count as one, so that strangers cannot fill the metrics.
    pub(super) fn start(method: Option<Arc<str>>) -> Self {
        Self {
            method: method.unwrap_or_else(|| "unknown".into()),
            span: Span::none(),
            started: Instant::now(),
            ended: false,
        }
    }

    /// The caller is known.
    pub(super) fn admitted(mut self, caller: &Caller) -> Self {
        self.span = tracing::info_span!("grpc", method = &*self.method, caller = field::Empty);
        if !self.span.is_disabled() {
            self.span.record("caller", caller.actor());
        }
        self
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The call ended before the handler answered.
    pub(super) fn refused(self, status: Status) -> Response<Body> {
        self.finish(status.code());
        status.into_http()
    }

    /// The call ended.
    pub(super) fn finish(mut self, code: Code) {
        self.end(code);
    }

    pub(super) fn end(&mut self, code: Code) {
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
            // Failures of the caller's doing are not logged by default: a stranger could fill the log.
            _ => tracing::debug!(method = &*method, code = word, ms, "call"),
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// Returns the code as gRPC spells it.
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
