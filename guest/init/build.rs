//! How the program is linked for guests: without unwind tables, a twelfth of it, which a program that aborts on panic
//! has no use for.

const SCRIPT: &str = "../../crates/illico/without-unwind-tables.ld";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SCRIPT}");
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{}/{SCRIPT}", variable("CARGO_MANIFEST_DIR"));
    }
}
