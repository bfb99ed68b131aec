//! A changed or new migration builds this crate again: the migrations are compiled into it.
fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
