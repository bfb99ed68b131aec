//! The request ids of this service's mutating calls (`ingress.requests`).
use ck8s_db::{ServiceRole, request_ids::Requests};

/// The request ids of the ingress service.
pub(crate) const REQUESTS: Requests = Requests::of(ServiceRole::Ingress);
