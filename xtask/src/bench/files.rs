//! 1,000 files of 4 KiB in an image's root, which the guest maps, and in a shared folder: searched, searched again, and unpacked.
//!
//! All is `illico run` of one image with both; what a run costs that does nothing is taken off.

use super::figures::{Row, Table};
use super::script::{self, Beyond};
use crate::Error;

const FILES: f64 = 1000.0;

/// Makes the image, the folders, and a run of it.
const PREPARE: &str = r#"
mkdir -p root/bin root/src made
cp /bin/busybox root/bin/
for program in sh cat grep mkdir tar true; do ln -s busybox root/bin/$program; done
for n in $(seq 1000); do head -c 4096 /dev/urandom >root/src/$n; done
tar -C root/src -cf root/src.tar .
illico import --quiet ./root files >/dev/null
run() {
    measure $1 illico run --net none --kernel /kernels/6.12/vmlinux -v ./root/src:/share:ro -v ./made:/made files -- sh -c "$2"
}
# The first reads all files into the lab's memory, the second is kept.
run none true
"#;

/// What a guest does; what that is to be compared with.
const WORKS: [(&str, &str, &str); 8] = [
    ("none", "true", "none"),
    ("root", "grep -r -c . /src >/dev/null", "none"),
    ("root-again", "for time in 1 2; do grep -r -c . /src >/dev/null; done", "root"),
    ("share", "grep -r -c . /share >/dev/null", "none"),
    ("share-again", "for time in 1 2; do grep -r -c . /share >/dev/null; done", "share"),
    ("read", "cat /src.tar >/dev/null", "none"),
    ("unpacked", "mkdir /new; tar -C /new -xf /src.tar", "read"),
    ("share-unpacked", "tar -C /made -xf /src.tar", "read"),
];

const NAMES: [(&str, &str); 6] = [
    ("root", "grep -r: the image's root"),
    ("share", "grep -r: a shared folder"),
    ("root-again", "grep -r, again: the image's root"),
    ("share-again", "grep -r, again: a shared folder"),
    ("unpacked", "tar -x: the scratch layer in memory"),
    ("share-unpacked", "tar -x: a shared folder"),
];

/// Exits a file.
pub fn measure() -> Result<Table, Error> {
    let runs = WORKS.iter().map(|(name, work, _)| format!("run {name} '{work}'\n"));
    let costs = script::run(&format!("{PREPARE}{}", runs.collect::<String>()), &[])?;
    let row = |(id, name): &(&str, &str)| {
        let (_, _, less) = WORKS.iter().find(|(work, ..)| work == id)?;
        let (more, less) = (costs.get(*id)?, costs.get(*less)?);
        let Beyond { exits, memory, instructions } = more.beyond(less, FILES);
        Some(Row { name: (*name).to_owned(), values: [exits, memory, instructions].map(Some).to_vec() })
    };
    Ok(Table {
        id: "files".to_owned(),
        title: "1,000 files of 4 KiB".to_owned(),
        boundary: "`illico run` of an image with a shared folder, which does the work, beyond one that does not: searches 1,000 files in a folder by `grep -r`, \
                   searches them twice (what the second time costs), and unpacks them from a tar that is in the image (reading that is taken off). \
                   The image's root is mapped (virtio-pmem, DAX), the shared folder is virtio-fs, read-only where it is searched. \
                   Exits without the host's own interrupts; page faults and MMIO are the work, the rest is mostly the guest's timer. In the lab."
            .to_owned(),
        columns: ["exits a file", "of them page faults, MMIO", "thousand instructions a file"].map(Into::into).to_vec(),
        rows: NAMES.iter().filter_map(row).collect(),
        plotted: 0,
    })
}
