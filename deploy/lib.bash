# shellcheck shell=bash disable=SC2034
# What the scripts beside this one share. To be sourced; changes nothing.
DEPLOY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$DEPLOY")
NAMESPACE=${CK8S_NAMESPACE:-ck8s}
ROLES=(edge ingress runs repositories auth)

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
# Kubernetes, as kubectl finds it (KUBECONFIG, the current context), in the platform's namespace.
k() { kubectl --namespace "$NAMESPACE" "$@"; }
# The server's minor version: 33 of v1.33.2.
server_minor() {
  kubectl version -o json 2>/dev/null | sed -n '/"serverVersion"/,/}/s/.*"minor": "\([0-9]*\).*/\1/p'
}
# The PyYAML that deploy/manifests.py and the schema check need, in an environment of their own. Prints its python.
manifest_tools() {
  local venv=$ROOT/target/tools/manifests
  if [[ ! -x $venv/bin/kubernetes-validate ]]; then
    python3 -m venv "$venv" >/dev/null 2>&1 || return 1
    "$venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate >&2 || return 1
  fi
  echo "$venv/bin/python"
}
