//! Builds guest/probe by a cargo of its own: it is a freestanding ELF of another workspace, always optimised, whatever
//! is being built here.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What an outer cargo, clippy or coverage run puts into the environment, and would make the probe something else.
const NOT_INHERITED: [&str; 7] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_DIR",
];

/// What the image is made from. Not the whole folder: a `target` may lie in it.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "link-probe.ld",
    "link-ten.ld",
    "src",
    "compute/Cargo.toml",
    "compute/src",
    "run/Cargo.toml",
];

fn main() {
    let variable = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")));
    let probe = variable("CARGO_MANIFEST_DIR").join("../../guest/probe");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", probe.join(source).display());
    }
    build(&variable("CARGO"), &probe, &variable("OUT_DIR").join("probe"));
}

fn build(cargo: &Path, probe: &Path, target: &Path) {
    let mut command = Command::new(cargo);
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    let status = command
        .args(["build", "--release", "--locked", "--quiet", "--package", "illico-probe", "--bins"])
        .arg("--manifest-path")
        .arg(probe.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "guest/probe does not build: {command:?}");
}
