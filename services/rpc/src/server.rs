//! What every server of ck8s serves beside its own services: health, and reflection in both versions.
use tonic::service::Routes;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::{Builder, Error};

/// Adds health, reported by `health`, and reflection (v1, and v1alpha, which older clients speak) over the whole
/// contract.
///
/// # Errors
/// When the contract's descriptor set cannot be read.
pub fn routes_with_standard(routes: Routes, health: &HealthReporter) -> Result<Routes, Error> {
    let health = tonic_health::pb::health_server::HealthServer::new(
        HealthService::from_health_reporter(health.clone()),
    );
    Ok(routes
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
