//! Where an image's root file system comes from: memory that the guest maps (virtio-pmem with DAX), or a disk.
//!
//! A file that is mapped is in the host's page cache once, for all machines, and is read without an exit. That takes an
//! erofs file of whole huge pages, as the store makes them; any other is a read-only disk.

use std::path::Path;

use illico_image::{RootFile, RootKind};
use illico_machine::config::Config;
use illico_protocol::Root;
use illico_virtio::block::DiskSpec;
use illico_virtio::pmem::PmemSpec;

/// What a region of persistent memory must be a multiple of.
const HUGE_PAGE: u64 = 2 << 20;

/// Puts the file into the machine, and says what its PID 1 mounts. `maps`: the guest's kernel has drivers for what is
/// mapped.
pub fn attach(file: &RootFile, config: &mut Config, maps: bool) -> Root {
    if maps && file.kind == RootKind::Erofs && has_whole_huge_pages(&file.path) {
        config.pmem.push(PmemSpec { path: file.path.clone(), readonly: true });
        return Root::erofs_dax();
    }
    let path = next_disk(config);
    config.disk.push(DiskSpec { readonly: true, ..DiskSpec::new(&file.path) });
    // A file system that was not unmounted has a journal to be replayed, which needs a disk that can be written.
    let options = if file.kind == RootKind::Ext4 { "noload" } else { "" };
    Root::Device { path, filesystem: file.kind.name().to_owned(), options: options.to_owned() }
}

/// What the guest calls the disk that is put in next.
pub fn next_disk(config: &Config) -> String {
    // There are never more than a handful.
    let letter = char::from(b'a' + config.disk.len().min(25) as u8);
    format!("/dev/vd{letter}")
}

fn has_whole_huge_pages(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() > 0 && metadata.len().is_multiple_of(HUGE_PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(kind: RootKind, bytes: u64, maps: bool) -> (Root, Config) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root");
        std::fs::File::create(&path).unwrap().set_len(bytes).unwrap();
        let mut config = Config::default();
        let root = attach(&RootFile { path, kind }, &mut config, maps);
        (root, config)
    }

    #[test]
    fn an_image_of_the_store_is_mapped_where_the_kernel_can() {
        let (root, config) = attached(RootKind::Erofs, HUGE_PAGE, true);
        assert_eq!((root, config.pmem.len(), config.disk.len()), (Root::erofs_dax(), 1, 0));
        assert!(config.pmem[0].readonly);
    }

    #[test]
    fn everything_else_is_a_disk_that_nobody_writes() {
        for (kind, bytes, maps, options) in [
            (RootKind::Erofs, HUGE_PAGE, false, ""),
            (RootKind::Erofs, HUGE_PAGE + 4096, true, ""),
            (RootKind::Squashfs, HUGE_PAGE, true, ""),
            (RootKind::Ext4, HUGE_PAGE, true, "noload"),
        ] {
            let (root, config) = attached(kind, bytes, maps);
            let (path, filesystem) = ("/dev/vda".to_owned(), kind.name().to_owned());
            assert_eq!(root, Root::Device { path, filesystem, options: options.to_owned() });
            assert!(config.pmem.is_empty() && config.disk[0].readonly);
            assert_eq!(next_disk(&config), "/dev/vdb");
        }
    }
}
