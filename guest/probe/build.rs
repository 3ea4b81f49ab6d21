//! Link arguments of the two kernels. They stand here, not in a `.cargo/config.toml`, so that building by
//! `--manifest-path` from any folder gives the same ELF.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    for bin in ["probe", "ten"] {
        println!("cargo:rerun-if-changed=link-{bin}.ld");
        for argument in [
            "-nostartfiles",
            "-nostdlib",
            "-static",
            "-no-pie",
            "-Wl,--build-id=none",
            "-Wl,-z,norelro",
            "-Wl,-z,noexecstack",
            "-Wl,-z,max-page-size=4096",
            "-Wl,--gc-sections",
        ] {
            println!("cargo:rustc-link-arg-bin={bin}={argument}");
        }
        println!("cargo:rustc-link-arg-bin={bin}=-Wl,-T,{folder}/link-{bin}.ld");
    }
}
