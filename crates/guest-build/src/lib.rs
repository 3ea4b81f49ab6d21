//! Builds the programs of guest/ from build scripts, each by a cargo of its own: they belong to other workspaces, for
//! other machines than the host, and are always optimised, whatever is being built outside.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

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

/// A workspace below guest/, and what of it is built.
#[derive(Debug)]
pub struct Program<'a> {
    /// Its folder in guest/, like `init`.
    pub folder: &'a str,
    /// What it is made from, relative to guest/. Not whole folders where a `target` may lie in them.
    pub sources: &'a [&'a str],
    /// What is built of it, as arguments of `cargo build`.
    pub arguments: &'a [&'a str],
    /// Flags for rustc.
    pub rustflags: Option<&'a str>,
}

impl Program<'_> {
    /// Builds it for release, tells cargo when to do so again, and says where the results are (cargo's target folder).
    ///
    /// # Panics
    ///
    /// When it is not called from a build script, or the program does not build: there is nothing to go on with.
    pub fn build(&self) -> PathBuf {
        let guest = variable("CARGO_MANIFEST_DIR").join("../../guest");
        for source in self.sources {
            println!("cargo:rerun-if-changed={}", guest.join(source).display());
        }
        let target = variable("OUT_DIR").join(self.folder);
        let mut cargo = self.cargo(&guest.join(self.folder), &target);
        let status = cargo.status();
        assert!(status.is_ok_and(|status| status.success()), "guest/{} does not build: {cargo:?}", self.folder);
        target
    }

    fn cargo(&self, workspace: &Path, target: &Path) -> Command {
        let mut cargo = Command::new(variable("CARGO"));
        for variable in NOT_INHERITED {
            cargo.env_remove(variable);
        }
        cargo.envs(self.rustflags.map(|flags| ("RUSTFLAGS", flags)));
        cargo.args(["build", "--release", "--locked", "--quiet"]).args(self.arguments);
        cargo.arg("--manifest-path").arg(workspace.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(target);
        cargo
    }
}

fn variable(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name} for build scripts")))
}
