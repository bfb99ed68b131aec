"""What is done with rendered manifests besides applying them.

manifests.py check         refuses pods that are not `restricted`, secrets in git and images without a version
manifests.py adapt MINOR   writes them for Kubernetes 1.MINOR, which lacks some of what they use

Both read them from standard input.
"""

import sys

import yaml

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def pods(objects):
    """Each workload's name and its pod's spec."""
    for item in objects:
        if item["kind"] in WORKLOADS:
            yield f"{item['kind']} {item['metadata']['name']}", item["spec"]["template"]["spec"]


def container_faults(where, pod, container):
    """What keeps a container from the level `restricted`, a read-only root and bounded memory."""
    context = container.get("securityContext", {})
    merged = {**pod.get("securityContext", {}), **context}
    wanted = {
        "runAsNonRoot is true": merged.get("runAsNonRoot") is True,
        "runAsUser is not 0": merged.get("runAsUser") not in (None, 0),
        "seccompProfile is RuntimeDefault": merged.get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "allowPrivilegeEscalation is false": context.get("allowPrivilegeEscalation") is False,
        "no capability": context.get("capabilities") == {"drop": ["ALL"]},
        "the root is read-only": context.get("readOnlyRootFilesystem") is True,
        "not privileged": not context.get("privileged"),
        "memory is bounded": "memory" in container.get("resources", {}).get("limits", {}),
        "no host port": not any("hostPort" in port for port in container.get("ports", [])),
    }
    return [f"{where}, container {container['name']}: not so: {rule}" for rule, holds in wanted.items() if not holds]


def pod_faults(where, pod):
    allowed = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    faults = [f"{where}: {key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        faults += [f"{where}: a volume of kind {kind}" for kind in set(volume) - {"name"} - allowed]
    token = pod.get("automountServiceAccountToken")
    if token is not (where == "StatefulSet worker"):
        faults.append(f"{where}: automountServiceAccountToken is {token}; only the worker talks to the API server")
    for container in pod["containers"] + pod.get("initContainers", []):
        faults += container_faults(where, pod, container)
        for variable in container.get("env", []):
            secret = any(word in variable["name"] for word in ("KEY", "SECRET", "PASSWORD", "DATABASE_URL", "TOKEN"))
            if secret and "value" in variable and not variable["name"].endswith("_FILE"):
                faults.append(f"{where}: {variable['name']} is a value, not a reference to a Secret")
    return faults


def check(objects):
    faults = [f"Secret {item['metadata']['name']} is in git" for item in objects if item["kind"] == "Secret"]
    found = list(pods(objects))
    for where, pod in found:
        faults += pod_faults(where, pod)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(objects)} objects, {len(found)} workloads, {len(faults)} faults")
    return 1 if faults else 0


def adapt(objects, minor):
    """What an older server does not know is left out, or said in its words."""
    for item in objects:
        if item["kind"].startswith("ValidatingAdmissionPolicy") and minor < 30:
            continue
        if item["kind"] == "PodDisruptionBudget" and minor < 21:
            item["apiVersion"] = "policy/v1beta1"
        yield item


def main():
    objects = [item for item in yaml.safe_load_all(sys.stdin) if item]
    match sys.argv[1:]:
        case ["check"]:
            return check(objects)
        case ["adapt", minor]:
            yaml.safe_dump_all(adapt(objects, int(minor)), sys.stdout, sort_keys=False)
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
