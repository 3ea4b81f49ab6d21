//! Builds guest/init by a cargo of its own: it is a static program of another workspace, always optimised, whatever is
//! being built here.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What an outer cargo, clippy or coverage run puts into the environment, and would make the program something else.
const NOT_INHERITED: [&str; 7] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_DIR",
];

/// What the program is made from. Not whole folders: a `target` may lie in them.
const SOURCES: [&str; 6] = [
    "init/Cargo.toml",
    "init/Cargo.lock",
    "init/src",
    "protocol/Cargo.toml",
    "protocol/src",
    // What the protocol inherits from its workspace.
    "../Cargo.toml",
];

/// Where guests run. Naming it keeps the flags for the program from its build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    let variable = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")));
    let guest = variable("CARGO_MANIFEST_DIR").join("../../guest");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", guest.join(source).display());
    }
    let out = variable("OUT_DIR");
    let target = out.join("init");
    build(&variable("CARGO"), &guest.join("init"), &target);
    pack(&target.join(TARGET).join("release/init"), &out.join("init.gz")).expect("the program can be packed");
}

/// Half of its size is saved in the program that carries it.
fn pack(program: &Path, packed: &Path) -> std::io::Result<()> {
    let mut packer = GzEncoder::new(File::create(packed)?, Compression::best());
    packer.write_all(&std::fs::read(program)?)?;
    packer.finish().map(drop)
}

fn build(cargo: &Path, init: &Path, target: &Path) {
    let mut command = Command::new(cargo);
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    let status = command
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static -Crelocation-model=static")
        .args(["build", "--release", "--locked", "--quiet", "--bin", "init", "--target", TARGET])
        .arg("--manifest-path")
        .arg(init.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "guest/init does not build: {command:?}");
}
