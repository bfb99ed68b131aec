//! The manifests of one workload: a Secret, a Job, and a NetworkPolicy if it may reach something. Pure.
use std::{collections::BTreeMap, fmt};

use ck8s_types::{Epoch, RunSpec};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    egress,
    egress_ceiling::EgressCeiling,
    error::KubeError,
    installation::Installation,
    job_name::JobName,
    labels::{ATTEMPT, CONTAINER, LEASE_EPOCH, MANAGED_BY, MANAGER, RUN_ID, SERVICE_ACCOUNT},
};

/// The CPU of a container whose run asks for none.
const DEFAULT_CPU: &str = "500m";
/// The memory of a container whose run asks for none.
const DEFAULT_MEMORY: &str = "512Mi";
/// Bounds what a pod may write to each of its two directories on the node.
const SCRATCH_SIZE: &str = "2Gi";
/// The user that images made to run as non-root usually have.
const USER_ID: i64 = 65_532;
/// How long an ended Job waits for its worker to notice, before Kubernetes removes it.
const JOB_TTL_SECONDS: i64 = 3_600;
/// How long a container has between SIGTERM and SIGKILL where nobody says otherwise.
const GRACE_SECONDS: i64 = 5;

/// A workload to start.
pub struct WorkloadSpec {
    /// The name of its Job.
    pub job: JobName,
    /// The epoch of the lease that it runs under.
    pub epoch: Epoch,
    /// What runs.
    pub spec: RunSpec,
    /// Environment variables besides the spec's own: they describe the run and its trigger.
    pub env: BTreeMap<String, String>,
    /// Environment variables that only its Secret may hold.
    pub secrets: BTreeMap<String, SecretString>,
}

impl fmt::Debug for WorkloadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkloadSpec({}, epoch {})", self.job, self.epoch)
    }
}

impl WorkloadSpec {
    fn labels(&self, installation: Installation) -> Value {
        let mut labels = json!({
            RUN_ID: self.job.run_id.to_string(),
            ATTEMPT: self.job.attempt.to_string(),
            MANAGED_BY: MANAGER,
        });
        installation.mark(&mut labels);
        labels
    }

    /// Returns the Secret with the run's secret values.
    pub(crate) fn secret(&self, installation: Installation) -> Value {
        let data: BTreeMap<&str, &str> = self
            .secrets
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": self.job.name(), "namespace": self.job.namespace, "labels": self.labels(installation)},
            "stringData": data,
        })
    }

    /// Returns the policy that allows the run's egress. None: the namespace's default, which allows only name
    /// resolution, is enough.
    pub(crate) fn network_policy(
        &self,
        ceiling: &EgressCeiling,
        installation: Installation,
    ) -> Result<Option<Value>, KubeError> {
        let rules = egress::rules(&self.spec.egress, ceiling)?;
        if rules.is_empty() {
            return Ok(None);
        }
        Ok(Some(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": self.job.name(), "namespace": self.job.namespace, "labels": self.labels(installation)},
            "spec": {
                "podSelector": {"matchLabels": self.labels(installation)},
                "policyTypes": ["Egress"],
                "egress": rules,
            },
        })))
    }

    /// Returns the Job. It holds no secret.
    pub(crate) fn job_manifest(&self, installation: Installation) -> Value {
        let timeouts = self.spec.timeouts;
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": self.job.name(), "namespace": self.job.namespace, "labels": self.labels(installation),
                "annotations": {LEASE_EPOCH: self.epoch.to_string()},
            },
            "spec": {
                "backoffLimit": 0, "parallelism": 1, "completions": 1,
                "activeDeadlineSeconds": i64::from(timeouts.pending) + i64::from(timeouts.running),
                "ttlSecondsAfterFinished": JOB_TTL_SECONDS,
                "template": {"metadata": {"labels": self.labels(installation)}, "spec": self.pod()},
            },
        })
    }

    fn pod(&self) -> Value {
        json!({
            "restartPolicy": "Never",
            "serviceAccountName": SERVICE_ACCOUNT,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            // Then the workload is not process 1, which ignores SIGTERM unless it handles it; and orphans are reaped.
            "shareProcessNamespace": true,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self.container()],
            "volumes": [
                {"name": "work", "emptyDir": {"sizeLimit": SCRATCH_SIZE}},
                {"name": "tmp", "emptyDir": {"sizeLimit": SCRATCH_SIZE}},
            ],
        })
    }

    fn container(&self) -> Value {
        let or = |quantity: &str, default: &str| {
            if quantity.is_empty() {
                default.to_owned()
            } else {
                quantity.to_owned()
            }
        };
        let resources = json!({
            "cpu": or(&self.spec.cpu, DEFAULT_CPU),
            "memory": or(&self.spec.memory, DEFAULT_MEMORY),
        });
        let mut container = json!({
            "name": CONTAINER,
            "image": self.spec.image,
            "imagePullPolicy": pull_policy(&self.spec.image),
            "workingDir": "/work",
            "env": self.env_vars(),
            "envFrom": [{"secretRef": {"name": self.job.name()}}],
            "resources": {"limits": resources, "requests": resources},
            "terminationMessagePolicy": "File",
            "securityContext": {
                "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
                "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "work", "mountPath": "/work"}, {"name": "tmp", "mountPath": "/tmp"}],
        });
        if !self.spec.command.is_empty() {
            // Kubernetes would expand $(NAME) and $$, but a command is run as it stands.
            let command: Vec<String> = self.spec.command.iter().map(|c| escaped(c)).collect();
            container["command"] = json!(command);
        }
        container
    }

    fn env_vars(&self) -> Vec<Value> {
        let mut env = BTreeMap::from([("HOME".to_owned(), "/work".to_owned())]);
        env.extend(self.spec.env.clone());
        env.extend(self.env.clone());
        env.into_iter()
            .map(|(name, value)| json!({"name": name, "value": escaped(&value)}))
            .collect()
    }
}

/// Returns when the node pulls an image: each time if its tag is meant to move.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let moves = match name.split_once(':') {
        _ if name.contains('@') => false,
        Some((_, tag)) => tag == "latest",
        None => true,
    };
    if moves { "Always" } else { "IfNotPresent" }
}

/// Returns a text that Kubernetes' expansion turns back into the given one: `$$` becomes `$`, `$(NAME)` a value.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use ck8s_types::{InstallationId, RunId};

    use super::*;

    const INSTALLATION: Installation = Installation::Unnamed;

    fn workload() -> WorkloadSpec {
        WorkloadSpec {
            job: JobName {
                namespace: "ck8s-demo".into(),
                run_id: RunId::new(),
                attempt: 2,
            },
            epoch: Epoch(7),
            spec: RunSpec {
                image: "example/agent:1".into(),
                command: vec!["sh".into(), "-c".into(), "echo $(date)".into()],
                ..RunSpec::default()
            },
            env: BTreeMap::from([("CK8S_EVENT".to_owned(), "push".to_owned())]),
            secrets: BTreeMap::from([("KEY".to_owned(), SecretString::from("hunter22"))]),
        }
    }

    #[test]
    fn the_job_is_restricted_and_holds_no_secret() {
        let workload = workload();
        let job = workload.job_manifest(INSTALLATION);
        let text = job.to_string();
        assert!(!text.contains("hunter22"));
        assert!(!format!("{workload:?}").contains("hunter22"));
        assert_eq!(
            workload.secret(INSTALLATION)["stringData"]["KEY"],
            "hunter22"
        );
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["automountServiceAccountToken"], false);
        let container = &pod["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(
            container["resources"]["limits"],
            container["resources"]["requests"]
        );
        assert_eq!(container["command"][2], "echo $$(date)");
        assert_eq!(job["spec"]["backoffLimit"], 0);
        assert_eq!(job["metadata"]["annotations"][LEASE_EPOCH], "7");
        assert!(workload.job.name().ends_with("-2"));
        serde_json::from_value::<k8s_openapi::api::batch::v1::Job>(job).expect("is a Job");
    }

    #[test]
    fn dollars_in_commands_and_variables_stand_as_they_were_written() {
        let mut workload = workload();
        let text = "$$(KEY) $(KEY) $KEY $$ 5$";
        workload.spec.command = vec![text.to_owned()];
        workload.env = BTreeMap::from([("TEXT".to_owned(), text.to_owned())]);
        let job = workload.job_manifest(INSTALLATION);
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        let escaped = "$$$$(KEY) $$(KEY) $$KEY $$$$ 5$$";
        assert_eq!(container["command"][0], escaped);
        let env = container["env"].as_array().expect("is a list");
        assert!(env.contains(&json!({"name": "TEXT", "value": escaped})));
    }

    #[test]
    fn everything_of_a_workload_is_marked_with_its_installation() {
        let mut workload = workload();
        workload.spec.egress = vec!["10.0.0.0/8:443".into()];
        let id = InstallationId::new();
        let installation = Installation::Named(id);
        let policy = workload.network_policy(&EgressCeiling::default(), installation);
        let policy = policy.expect("fits").expect("is there");
        let job = workload.job_manifest(installation);
        for labels in [
            &workload.secret(installation)["metadata"]["labels"],
            &policy["metadata"]["labels"],
            &policy["spec"]["podSelector"]["matchLabels"],
            &job["metadata"]["labels"],
            &job["spec"]["template"]["metadata"]["labels"],
        ] {
            assert_eq!(labels["ck8s.io/installation"], id.to_string());
        }
    }

    #[test]
    fn an_image_whose_tag_moves_is_pulled_each_time() {
        for image in ["busybox", "r:5000/a/b", "r/a:latest"] {
            assert_eq!(pull_policy(image), "Always", "{image}");
        }
        let digest = format!("r/a@sha256:{}", "0".repeat(64));
        for image in ["busybox:1", "r:5000/a/b:v2", &digest] {
            assert_eq!(pull_policy(image), "IfNotPresent", "{image}");
        }
    }

    #[test]
    fn only_egress_makes_a_network_policy() {
        let mut workload = workload();
        let ceiling = EgressCeiling::default();
        assert_eq!(workload.network_policy(&ceiling, INSTALLATION), Ok(None));
        workload.spec.egress = vec!["10.0.0.0/8:443".into()];
        let policy = workload
            .network_policy(&ceiling, INSTALLATION)
            .expect("fits");
        let policy = policy.expect("is there");
        assert_eq!(
            policy["spec"]["podSelector"]["matchLabels"][RUN_ID],
            workload.job.run_id.to_string()
        );
    }
}
