# shellcheck shell=bash disable=SC2034
# Functions that the scripts beside this one share. To be sourced; it changes nothing.
DEPLOY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$DEPLOY")
NAMESPACE=${CK8S_NAMESPACE:-ck8s}
ROLES=(edge ingress runs repositories auth)

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
# k ARGUMENT...: kubectl in the platform's namespace, with the current context.
k() { kubectl --namespace "$NAMESPACE" "$@"; }
# Prints the server's minor version: 33 for v1.33.2.
server_minor() {
  kubectl version -o json 2>/dev/null | sed -n '/"serverVersion"/,/}/s/.*"minor": "\([0-9]*\).*/\1/p'
}
# Installs what deploy/manifests.py and the schema check need into an environment of their own; prints its python.
manifest_tools() {
  local venv=$ROOT/target/tools/manifests
  if [[ ! -x $venv/bin/kubernetes-validate ]]; then
    python3 -m venv "$venv" >/dev/null 2>&1 || return 1
    "$venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate >&2 || return 1
  fi
  echo "$venv/bin/python"
}
