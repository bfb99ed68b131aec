//! The binary `ck8s`; everything it does is in the library of the same name.
use std::process::ExitCode;

fn main() -> ExitCode {
    ck8s::main()
}
