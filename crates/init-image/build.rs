//! Builds guest/init, a static program, and packs it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use illico_guest_build::Program;

/// Where guests run. Naming it keeps the flags for the program from its build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    let init = Program {
        folder: "init",
        sources: &[
            "init/Cargo.toml",
            "init/Cargo.lock",
            "init/build.rs",
            "init/src",
            "../crates/illico/without-unwind-tables.ld",
            "archive/Cargo.toml",
            "archive/src",
            "protocol/Cargo.toml",
            "protocol/src",
            // What these two inherit from their workspace.
            "../Cargo.toml",
        ],
        arguments: &["--bin", "init", "--target", TARGET],
        rustflags: Some("-Ctarget-feature=+crt-static -Crelocation-model=static"),
    };
    let built = init.build().join(TARGET).join("release/init");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    pack(&built, &out.join("init.gz")).expect("the program can be packed");
}

/// Half of its size is saved in the program that carries it.
fn pack(program: &Path, packed: &Path) -> std::io::Result<()> {
    let mut packer = GzEncoder::new(File::create(packed)?, Compression::best());
    packer.write_all(&std::fs::read(program)?)?;
    packer.finish().map(drop)
}
