//! Generates gen/rust from proto/: compiles with protox, generates with tonic-prost-build. Run by bootstrap/local/gen.
use std::path::Path;

use anyhow::{Context, Result};
use prost::Message;

/// Returns every file of the contract, by its path relative to proto/.
fn files(proto: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut dirs = vec![proto.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "proto") {
                files.push(path.strip_prefix(proto)?.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (proto, out) = (root.join("proto"), root.join("gen/rust/src"));
    let mut compiler = protox::Compiler::new([&proto])?;
    compiler
        .include_imports(true)
        .include_source_info(false)
        .open_files(files(&proto)?)
        .context("proto/ does not compile")?;
    // The encoding of prost-types would lose the options of the policy.
    std::fs::write(
        out.join("descriptor.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let mut compiler = protox::Compiler::new([&proto])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(files(&proto)?)?;
    let set = compiler.file_descriptor_set();
    let set = prost_types_of(&set)?;
    tonic_prost_build::configure()
        .out_dir(&out)
        .bytes(".ck8s.ingress.v1.Webhook.body")
        .bytes(".ck8s.runs.v1.LogChunk.data")
        // Ordered, so that the same message has the same encoding each time: request ids compare it.
        .btree_map(".ck8s.runs.v1.RunSpec.env")
        .compile_fds(set)?;
    Ok(())
}

/// Returns the same set without what only the policy layer reads.
fn prost_types_of(
    set: &prost_reflect::prost_types::FileDescriptorSet,
) -> Result<prost_reflect::prost_types::FileDescriptorSet> {
    Ok(Message::decode(set.encode_to_vec().as_slice())?)
}
