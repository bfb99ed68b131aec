//! Between the contract's messages and ours.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::convert::{spec_to_pb, timestamp};

use crate::{
    domain::services_yaml::{Services, Trigger},
    store::repositories::Repository,
};

/// A repository for the wire, with what its services.yaml says.
pub fn repository(repository: Repository, services: pb::Services) -> pb::Repository {
    pb::Repository {
        id: repository.id.to_string(),
        project_id: repository.project_id.to_string(),
        provider: pb::Provider::Github.into(),
        external_id: repository.external_id,
        full_name: repository.full_name,
        default_branch: repository.default_branch,
        services_text: repository.services_text,
        services: Some(services),
        create_time: Some(timestamp(repository.created_at)),
        update_time: Some(timestamp(repository.updated_at)),
        etag: repository.version.to_string(),
        secret_names: repository.secret_names,
        previous_secret_expire_time: repository.previous_secret_expires_at.map(timestamp),
        credential: match repository.credential.as_deref() {
            Some("app") => pb::CredentialKind::App,
            Some(_) => pb::CredentialKind::Token,
            None => pb::CredentialKind::Unspecified,
        }
        .into(),
        services_path: repository.services_path,
        services_problem: repository.services_problem.unwrap_or_default(),
        services_commit: repository.services_commit.unwrap_or_default(),
        services_check_time: repository.services_checked_at.map(timestamp),
        hook_id: repository.hook_id.unwrap_or_default(),
        hook_problem: repository.hook_problem.unwrap_or_default(),
        wait_until: repository.waits_until.map(timestamp),
    }
}

/// What a services.yaml says, for the wire.
pub fn services(services: Services) -> pb::Services {
    let triggers = services.triggers.into_iter().map(trigger).collect();
    pb::Services { triggers }
}

fn trigger(trigger: Trigger) -> pb::Trigger {
    pb::Trigger {
        name: trigger.name,
        event: trigger.event,
        actions: trigger.actions,
        labels: trigger.labels,
        comment: trigger.comment,
        branches: trigger.branches,
        paths: trigger.paths,
        allow_bots: trigger.allow_bots,
        spec: Some(spec_to_pb(trigger.spec)),
        branches_ignore: trigger.branches_ignore,
        paths_ignore: trigger.paths_ignore,
    }
}
