//! How the program is linked: with the unwinder inside, without its tables, and with short relocations.
//!
//! Rust's standard library asks for the shared libgcc_s, of which a program that aborts on panic uses only the walk
//! through the stack, for backtraces. Finding, mapping and relocating that library is a twentieth of the life of the
//! smallest machine. With the static half of the same library (libgcc_eh, part of every GCC) all its symbols are there
//! already, and the linker, told to take shared libraries only `--as-needed`, drops the other.
//!
//! The tables by which it finds its way from frame to frame are 435 KB, and a released program without symbols could show
//! nothing but numbers with them: it says why it panicked and where, and aborts. What developers build keeps them.
//!
//! Relocations are those of position-independent pointers, thousands, 24 bytes each; packed (DT_RELR, glibc 2.36) they
//! are a bitmap, and 125 KB less to be read at each start.

/// A linker script.
const WITHOUT_UNWIND_TABLES: &str = "without-unwind-tables.ld";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={WITHOUT_UNWIND_TABLES}");
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,--whole-archive,-l:libgcc_eh.a,--no-whole-archive");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        if variable("PROFILE") == "release" {
            let folder = variable("CARGO_MANIFEST_DIR");
            println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
            println!("cargo::rustc-link-arg-bins=-T{folder}/{WITHOUT_UNWIND_TABLES}");
        }
    }
}
