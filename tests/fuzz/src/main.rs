//! The program that libFuzzer drives: it runs the target that CK8S_FUZZ_TARGET names.
#![no_main]
#![allow(
    unsafe_code,
    missing_docs,
    reason = "the engine's macro exports a C function"
)]
use std::sync::LazyLock;

use ck8s_fuzz::Target;

/// The target of this process.
static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("CK8S_FUZZ_TARGET").unwrap_or_default();
    let target = ck8s_fuzz::TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("CK8S_FUZZ_TARGET={name:?} is no target"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| (TARGET.run)(input));
