# shellcheck shell=bash disable=SC2034
# Functions that the scripts beside this one share. To be sourced; it changes the directory to the repository's root.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
ROOT=$PWD
RUST_VERSION=1.95 # as in Cargo.toml and rust-toolchain.toml
export PATH="$HOME/.cargo/bin:$PATH"
export SQLX_OFFLINE=true # queries are checked against the committed .sqlx; bootstrap/local/sqlx makes it
export CARGO_TERM_PROGRESS_WHEN=never

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND...: runs a command as root, through sudo if necessary.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif have sudo; then
    sudo -E "$@"
  else
    return 1
  fi
}

# packages NAME...: installs Debian packages, or fails with their names if it cannot.
packages() {
  have apt-get || die "please install: $* (this script installs by itself only on Debian and Ubuntu)"
  say "installing $*"
  export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
  as_root true || die "please install: $* (needs root or sudo: apt-get install $*)"
  if ! as_root apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null 2>&1; then
    as_root apt-get update -qq || die "apt-get update failed; missing: $*"
    as_root apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null || die "apt-get could not install: $*"
  fi
}

# version_ge A B: succeeds if version A is at least version B.
version_ge() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -1) == "$2" ]]; }

need_compiler() {
  have cc || packages gcc libc6-dev
  # aws-lc, the TLS provider, is written in C and assembly.
}

rust_version() { cargo --version 2>/dev/null | cut -d' ' -f2 | cut -d- -f1; }

need_rust() {
  local version
  version=$(rust_version || true)
  if [[ -z $version ]] && have rustup; then
    # The pinned toolchain cannot be fetched. The installed stable one will do if it is new enough.
    version=$(RUSTUP_TOOLCHAIN=stable rust_version || true)
    [[ -n $version ]] && version_ge "$version" "$RUST_VERSION" && export RUSTUP_TOOLCHAIN=stable
  fi
  if [[ -n $version ]] && version_ge "$version" "$RUST_VERSION"; then return; fi
  if have rustup; then
    say "updating Rust ($version is older than $RUST_VERSION)"
    rustup toolchain install >&2 || die "Rust $RUST_VERSION or newer is missing, and rustup cannot fetch it"
  else
    have curl || packages curl ca-certificates
    say "installing Rust with rustup"
    local installer
    installer=$(mktemp)
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs -o "$installer" ||
      die "Rust $RUST_VERSION or newer is missing, and https://sh.rustup.rs cannot be reached: install Rust, then run this again"
    sh "$installer" -y --no-modify-path --default-toolchain none >&2 || die "rustup could not install Rust"
    rm -f "$installer"
  fi
  version=$(rust_version || true)
  if [[ -z $version ]] || ! version_ge "$version" "$RUST_VERSION"; then
    die "Rust $RUST_VERSION or newer is missing (found: ${version:-none})"
  fi
}

# Prints the directory of the newest PostgreSQL server programs; fails if there are none.
postgres_bin() {
  local dir
  if [[ -n ${CK8S_PG_BIN:-} ]]; then
    [[ -x $CK8S_PG_BIN/initdb ]] && echo "$CK8S_PG_BIN"
    return
  fi
  while read -r dir; do
    if [[ -x $dir/initdb && -x $dir/postgres ]]; then
      echo "$dir"
      return
    fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin | sort -rV)
  dir=$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/x)")
  [[ -x $dir/postgres ]] && echo "$dir"
}

need_postgres() {
  postgres_bin >/dev/null && return
  if have apt-get; then
    # Only the programs are needed: the package must not create and start a server of its own.
    as_root mkdir -p /etc/postgresql-common || die "please install: postgresql (needs root or sudo)"
    if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
      echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
  fi
  packages postgresql
  postgres_bin >/dev/null || die "PostgreSQL's server programs are missing: set CK8S_PG_BIN to their directory"
}
