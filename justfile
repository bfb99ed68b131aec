# The commands that people type most. `just` lists them; each is also a script that runs without just.

_list:
    @just --list --unsorted

# Start everything on this machine; arguments go to `ck8s up`
up *ARGS:
    bootstrap/local/up {{ARGS}}

# Run every check and every test that this machine can run
test:
    bootstrap/local/test

# Run the Rust tests whose names contain these words, for example `just tests lease`
tests *WORDS:
    SQLX_OFFLINE=true cargo nextest run --locked --workspace {{WORDS}}

# Format everything and check the code with clippy
lint:
    cargo fmt --all
    SQLX_OFFLINE=true cargo clippy --locked --workspace --all-targets -- -D warnings

# Generate gen/rust and gen/ts from the contract
gen:
    bootstrap/local/gen

# Write .sqlx, which the checked queries need to compile without a database
sqlx:
    bootstrap/local/sqlx

# Build the console into gen/console
console:
    npm --prefix services/console ci --no-audit --no-fund --loglevel=error
    npm --prefix services/console run build

# Open the documentation of the crates
doc:
    SQLX_OFFLINE=true cargo doc --locked --workspace --no-deps --open

# Run rows of the benchmark, for example `just bench 1 2 3`
bench *ROWS:
    SQLX_OFFLINE=true cargo build --release --locked -p ck8s -p ck8s-load
    target/release/ck8s-load {{ROWS}}

# Check the table of how runs end on Kubernetes (docs/reliability.md) on the cluster that CK8S_TEST_KUBECONFIG names
kubernetes-ends:
    SQLX_OFFLINE=true cargo build --locked -p ck8s
    SQLX_OFFLINE=true cargo nextest run --locked -p ck8s-tests --run-ignored only kubernetes_ends --success-output final

# Stress the logs of pods on that cluster, a minute a round: rotation, broken connections, killed workers
kubernetes-logs ROUNDS="20":
    SQLX_OFFLINE=true cargo build --locked -p ck8s
    CK8S_TEST_ROUNDS={{ROUNDS}} SQLX_OFFLINE=true cargo test --locked -p ck8s-tests --test scenarios -- --ignored --nocapture every_line_is_there_once

# Let two installations work in that cluster for ten minutes
kubernetes-installations:
    SQLX_OFFLINE=true cargo build --locked -p ck8s
    SQLX_OFFLINE=true cargo test --locked -p ck8s-tests --test scenarios -- --ignored --nocapture two_installations_under_load

# Test the way from the release before and back, with that release's program, which is built once
upgrade:
    tests/upgrade

# Start the one-node Kubernetes cluster for tests; prints the path of its kubeconfig
cluster:
    tests/cluster/cluster up
