//! Workloads as child processes of this machine, each under a guard. Not a sandbox: they run as the worker's user.
mod driver;
mod executor;
mod guard;
mod guard_process;
mod lock;
mod process_tree;
mod protocol;

pub use executor::ProcessExecutor;
pub use guard::process_guard_main;
