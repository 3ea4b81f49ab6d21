//! The same machine for each monitor: what has to be said to illico, and what to QEMU.

use std::path::Path;

use crate::{Lab, packages};

/// A monitor with one way of reaching its devices. illico's is PCI; `illico diff --change '--transport mmio'` compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monitor {
    Illico,
    QemuMicrovm,
    QemuQ35,
}

/// What a machine has beside a kernel and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A raw image, `disk.img`.
    Disk,
    /// A card on `tap0`.
    Net,
    /// The console is a UART.
    Uart,
    /// A file as memory, `disk.img`.
    Pmem,
}

/// Firmware that QEMU cannot start a kernel without, where Debian's packages have it.
const FIRMWARE: [&str; 5] = [
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/seabios/bios-microvm.bin",
    "/usr/share/qemu/pvh.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/share/qemu/kvmvapic.bin",
];

/// Puts QEMU into the lab.
pub fn bring_qemu(mut lab: Lab) -> Lab {
    if let Some(qemu) = packages::find_program("qemu-system-x86_64") {
        lab = lab.file(qemu, "/bin/qemu-system-x86_64");
    }
    for file in FIRMWARE {
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        lab = lab.file(file, format!("/firmware/{name}"));
    }
    lab
}

impl Monitor {
    pub const ALL: [Monitor; 3] = [Monitor::Illico, Monitor::QemuMicrovm, Monitor::QemuQ35];

    pub fn name(self) -> &'static str {
        match self {
            Monitor::Illico => "illico",
            Monitor::QemuMicrovm => "QEMU microvm (mmio)",
            Monitor::QemuQ35 => "QEMU q35",
        }
    }

    /// A name without spaces, for the results of a script.
    pub fn key(self) -> &'static str {
        match self {
            Monitor::Illico => "illico",
            Monitor::QemuMicrovm => "qemu-microvm",
            Monitor::QemuQ35 => "qemu-q35",
        }
    }

    /// The command in the lab for the 6.12 kernel, 256 MiB, one vCPU and these devices. `words` come to the guest's
    /// command line.
    pub fn command(self, initrd: &str, words: &str, devices: &[Device]) -> String {
        let uart = devices.contains(&Device::Uart);
        let mut line = match self {
            Monitor::Illico => {
                let mut line = format!(
                    "illico boot --memory 256M --kernel /kernels/6.12/vmlinux --initrd {initrd} --cmdline 'quiet {words}'"
                );
                if uart {
                    line += " --console uart";
                }
                line
            }
            Monitor::QemuMicrovm | Monitor::QemuQ35 => {
                let console = if uart { "ttyS0" } else { "hvc0" };
                format!(
                    "qemu-system-x86_64 -L /firmware -accel kvm -cpu host -m 256 -smp 1 -nodefaults -no-user-config \
                     -no-reboot -display none -kernel /kernels/6.12/vmlinux -initrd {initrd} -chardev stdio,id=c \
                     -append 'quiet panic=-1 console={console} {words}'"
                )
            }
        };
        line += match self {
            Monitor::QemuMicrovm if uart => {
                " -M microvm,pit=off,pic=off,rtc=off,isa-serial=off -device isa-serial,chardev=c"
            }
            Monitor::QemuMicrovm => {
                " -M microvm,pit=off,pic=off,rtc=off,isa-serial=off -device virtio-serial-device -device virtconsole,chardev=c"
            }
            Monitor::QemuQ35 if uart => " -M q35 -device isa-serial,chardev=c",
            Monitor::QemuQ35 => " -M q35 -device virtio-serial-pci -device virtconsole,chardev=c",
            Monitor::Illico => "",
        };
        for device in devices {
            line += self.device(*device);
        }
        line
    }

    fn device(self, device: Device) -> &'static str {
        match (self, device) {
            (_, Device::Uart) => "",
            (Monitor::Illico, Device::Disk) => " --disk path=disk.img",
            (Monitor::Illico, Device::Net) => " --net tap=tap0",
            (Monitor::Illico, Device::Pmem) => " --pmem path=disk.img",
            (Monitor::QemuMicrovm, Device::Disk) => {
                " -drive id=d,if=none,format=raw,file=disk.img -device virtio-blk-device,drive=d"
            }
            (Monitor::QemuQ35, Device::Disk) => {
                " -drive id=d,if=none,format=raw,file=disk.img -device virtio-blk-pci,drive=d"
            }
            (Monitor::QemuMicrovm, Device::Net) => {
                " -netdev tap,id=n,ifname=tap0,script=no,downscript=no -device virtio-net-device,netdev=n"
            }
            (Monitor::QemuQ35, Device::Net) => {
                " -netdev tap,id=n,ifname=tap0,script=no,downscript=no -device virtio-net-pci,netdev=n,romfile="
            }
            // Not comparable: microvm has no place for it, and q35 wants its memory declared as hot-pluggable.
            (Monitor::QemuMicrovm | Monitor::QemuQ35, Device::Pmem) => "",
        }
    }
}
