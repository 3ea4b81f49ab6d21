//! Initramfs for guests: busybox with a script as PID 1 and the modules it wants, or a program that only reboots.

use crate::cpio::{Archive, Node};
use crate::lab::read;
use crate::{Error, Kernel, packages};

/// What the guest does once its kernel is up, in one system call: the shortest PID 1 there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Reboot,
    PowerOff,
}

/// An initramfs whose PID 1 ends the machine by its first instructions. What a boot costs without user space.
pub fn ends_at_once(end: End) -> Vec<u8> {
    let mut archive = Archive::new();
    archive.file("init", 0o755, &reboot_program(end));
    archive.finish()
}

/// An initramfs with busybox and a script.
///
/// Before the script, /proc, /sys and /dev are mounted and the modules loaded. After it the machine powers off; a
/// script that wants something else (`reboot -f`) does it itself.
#[derive(Debug)]
pub struct GuestInit {
    kernel: Kernel,
    modules: Vec<String>,
    files: Vec<(String, u32, Vec<u8>)>,
    script: String,
}

impl GuestInit {
    pub fn new(kernel: &Kernel) -> GuestInit {
        GuestInit { kernel: kernel.clone(), modules: Vec::new(), files: Vec::new(), script: String::new() }
    }

    /// Modules to load, in this order, each after what it depends on. Built-in ones are fine.
    pub fn modules<I>(mut self, names: I) -> GuestInit
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.modules.extend(names.into_iter().map(Into::into));
        self
    }

    pub fn file(mut self, path: impl Into<String>, permissions: u32, content: impl Into<Vec<u8>>) -> GuestInit {
        self.files.push((path.into(), permissions, content.into()));
        self
    }

    /// The script, for busybox's shell. Its standard streams are the console.
    pub fn script(mut self, script: impl Into<String>) -> GuestInit {
        self.script = script.into();
        self
    }

    /// The archive, uncompressed.
    pub fn build(&self) -> Result<Vec<u8>, Error> {
        let mut archive = Archive::new();
        for folder in ["proc", "sys", "dev", "mnt", "tmp", "etc", "root"] {
            archive.folder(folder, 0o755);
        }
        archive.node("dev/console", 0o600, Node::Character, (5, 1)).node("dev/null", 0o666, Node::Character, (1, 3));
        archive.file("bin/busybox", 0o755, &read(&packages::static_busybox()?)?).symlink("bin/sh", "busybox");

        let mut init = String::from(
            "#!/bin/busybox sh\n\
             export PATH=/bin:/sbin:/usr/bin:/usr/sbin\n\
             /bin/busybox mkdir -p /sbin /usr/bin /usr/sbin\n\
             /bin/busybox --install -s\n\
             mount -t proc proc /proc\n\
             mount -t sysfs sys /sys\n\
             mount -t devtmpfs dev /dev\n",
        );
        for file in self.kernel.modules()?.load_order(&self.modules)? {
            let path = format!("/modules/{}", file.file_name().unwrap_or_default().to_string_lossy());
            archive.file(&path, 0o644, &read(&file)?);
            init.push_str(&format!("insmod {path}\n"));
        }
        init.push_str("sh /script\npoweroff -f\n");
        archive.file("init", 0o755, init.as_bytes()).file("script", 0o755, self.script.as_bytes());
        for (path, permissions, content) in &self.files {
            archive.file(path, *permissions, content);
        }
        Ok(archive.finish())
    }
}

/// A static ELF program of one loadable segment: `reboot(2)` with its magic numbers, assembled by hand.
fn reboot_program(end: End) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // include/uapi/linux/reboot.h
    let command: u32 = match end {
        End::Reboot => 0x0123_4567,
        End::PowerOff => 0x4321_fedc,
    };
    let mut code = Vec::new();
    code.push(0xbf); // mov edi, LINUX_REBOOT_MAGIC1
    code.extend(0xfee1_dead_u32.to_le_bytes());
    code.push(0xbe); // mov esi, LINUX_REBOOT_MAGIC2
    code.extend(672_274_793_u32.to_le_bytes());
    code.push(0xba); // mov edx, command
    code.extend(command.to_le_bytes());
    code.extend([0xb8, 169, 0, 0, 0]); // mov eax, __NR_reboot
    code.extend([0x0f, 0x05]); // syscall
    code.extend([0xeb, 0xfe]); // jmp itself: the call does not return

    let size = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]); // ET_EXEC, EM_X86_64, EV_CURRENT
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes()); // e_entry, e_phoff, e_shoff
    }
    elf.extend(0_u32.to_le_bytes()); // e_flags
    for half in [64_u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes()); // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    }
    elf.extend(1_u32.to_le_bytes()); // PT_LOAD
    elf.extend(5_u32.to_le_bytes()); // PF_R | PF_X
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes()); // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
    }
    elf.extend(code);
    elf
}
