//! The guard of this crate's tests: `ck8s_worker::process_guard_main` and nothing else.
use std::process::ExitCode;

fn main() -> ExitCode {
    ck8s_worker::process_guard_main()
}
