//! Flow events, for the wire.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::timestamp, page};

use crate::domain::{Clusters, EventRecord};

/// Encodes a flow event. Its place is a cursor, so it says of which cluster it is.
pub(crate) fn event_to_pb(event: EventRecord, clusters: &Clusters) -> pb::FlowEvent {
    pb::FlowEvent {
        cursor: page::encode(&clusters.key(event.cursor)),
        kind: event.kind,
        project_id: event.project.map(|id| id.to_string()).unwrap_or_default(),
        run_id: event.run.map(|id| id.to_string()).unwrap_or_default(),
        actor: event.actor,
        message: event.message,
        data_json: event.data,
        time: Some(timestamp(event.recorded_at)),
    }
}
