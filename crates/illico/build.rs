//! How the program is linked: with the unwinder inside, and with short relocations.
//!
//! Rust's standard library asks for the shared libgcc_s, of which a program that aborts on panic uses only the walk
//! through the stack, for backtraces. Finding, mapping and relocating that library is a twentieth of the life of the
//! smallest machine. With the static half of the same library (libgcc_eh, part of every GCC) all its symbols are there
//! already, and the linker, told to take shared libraries only `--as-needed`, drops the other.
//!
//! Relocations are those of position-independent pointers, thousands, 24 bytes each; packed (DT_RELR, glibc 2.36) they
//! are a bitmap, and 125 KB less to be read at each start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--whole-archive,-l:libgcc_eh.a,--no-whole-archive");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
