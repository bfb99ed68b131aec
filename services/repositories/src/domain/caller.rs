//! Who calls, and under which request id.
use ck8s_db::request_ids::RequestKey;
use ck8s_rpc::project_access::Access;

/// Who makes a change, and the id under which they may repeat it.
pub(crate) struct Caller {
    /// Which projects they reach.
    pub access: Access,
    /// Their name in flow events.
    pub actor: String,
    /// The key of this request; none: they do not repeat it.
    pub request: Option<RequestKey>,
}
