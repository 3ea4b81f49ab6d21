//! Debian's other kernels: generic and rt ones of both series, from their bzImages, to an init that resets at once.
//!
//! Their consoles are modules, so the UART carries what they print; a reset by init is status 0.

use illico_tests::Stage;
use xtask::kernels::stock_bzimage;

fn boots(meta_package: &str, banner: &str) {
    let image = stock_bzimage(meta_package).unwrap_or_else(|error| panic!("{error}"));
    let name = image.file_name().expect("a file").to_string_lossy().into_owned();
    let options = format!(
        "--kernel {name} --initrd /guests/reboot.cpio --memory 256M --cpus 2 --console uart --cmdline console=ttyS0"
    );
    let ran = Stage::new().only_in_the_lab("its init is there").program(image).boot("stock", &options).run();
    let guest = ran.guest("stock").ended_well();
    assert!(guest.console.contains(banner), "{guest}");
    assert!(guest.console.contains("Run /init as init process"), "{guest}");
}

#[test]
fn the_generic_6_12_kernel_reaches_init() {
    boots("linux-image-6.12-amd64", "Linux version 6.12");
}

#[test]
fn the_rt_6_12_kernel_reaches_init() {
    boots("linux-image-6.12-rt-amd64", "PREEMPT_RT");
}

#[test]
fn the_generic_6_1_kernel_reaches_init() {
    boots("linux-image-amd64", "Linux version 6.1");
}

#[test]
fn the_rt_6_1_kernel_reaches_init() {
    boots("linux-image-rt-amd64", "PREEMPT_RT");
}
