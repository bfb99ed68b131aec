//! IngressService: each call is decoded, done and encoded in a file of its own.
mod get_delivery;
mod ingest_webhook;
mod list_deliveries;
mod replay_delivery;

use ck8s_proto::ingress::v1::{
    GetDeliveryRequest, GetDeliveryResponse, IngestWebhookRequest, IngestWebhookResponse,
    ListDeliveriesRequest, ListDeliveriesResponse, ReplayDeliveryRequest, ReplayDeliveryResponse,
    ingress_service_server::IngressService,
};
use tonic::{Request, Response, Status};

use crate::{pipeline::ingest::Ingest, service::deliveries::Deliveries};

/// The service as tonic serves it.
#[derive(Clone)]
pub(crate) struct IngressGrpc {
    pub(crate) ingest: Ingest,
    pub(crate) deliveries: Deliveries,
}

#[tonic::async_trait]
impl IngressService for IngressGrpc {
    async fn ingest_webhook(
        &self,
        request: Request<IngestWebhookRequest>,
    ) -> Result<Response<IngestWebhookResponse>, Status> {
        ingest_webhook::call(&self.ingest, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        list_deliveries::call(&self.deliveries, &request)
            .await
            .map(Response::new)
    }

    async fn get_delivery(
        &self,
        request: Request<GetDeliveryRequest>,
    ) -> Result<Response<GetDeliveryResponse>, Status> {
        get_delivery::call(&self.deliveries, &request)
            .await
            .map(Response::new)
    }

    async fn replay_delivery(
        &self,
        request: Request<ReplayDeliveryRequest>,
    ) -> Result<Response<ReplayDeliveryResponse>, Status> {
        replay_delivery::call(&self.deliveries, &request)
            .await
            .map(Response::new)
    }
}
