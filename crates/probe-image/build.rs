//! Builds guest/probe, a freestanding ELF.

use illico_guest_build::Program;

fn main() {
    let probe = Program {
        folder: "probe",
        sources: &[
            "probe/Cargo.toml",
            "probe/Cargo.lock",
            "probe/build.rs",
            "probe/link-probe.ld",
            "probe/link-ten.ld",
            "probe/src",
            "probe/compute/Cargo.toml",
            "probe/compute/src",
            "probe/run/Cargo.toml",
        ],
        arguments: &["--package", "illico-probe", "--bins"],
        rustflags: None,
    };
    probe.build();
}
