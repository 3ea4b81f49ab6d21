//! Ten machines of one image at once, in the lab, as a plain user: the root of all of them is in the host's page cache once,
//! and each takes little memory for itself.

use illico_tests::{image, user};
use xtask::packages;

/// The guest's RAM, which no other mapping is as large as.
const RAM: &str = "160M";
const RAM_KIB: u64 = 160 << 10;
const MACHINES: usize = 10;
/// KiB of its own that a monitor may have.
const PRIVATE: u64 = 6 << 10;
/// KiB of page cache that may come for other reasons while nine machines start: logs and records of machines are kept
/// in memory here, and do not count.
const CHANCE: u64 = 512;

/// `cached NAME`: pages of the image's file in the page cache, and KiB of all files there are in it. `private NAME PID`: KiB
/// that only this process has, the guest's RAM and the image left out.
const MEASURE: &str = r#"
mkdir -p /home/user/.local/share
mount /dev/disk/store /home/user/.local/share
chown user /home/user/.local /home/user/.local/share
cached() {
    set -- $1 $(./fincore -n -r -o PAGES /home/user/.local/share/illico/images/*.erofs)
    echo "$1 pages $2"
    awk -v name=$1 '/^Cached:/ { all = $2 } /^Shmem:/ { print name, "files", all - $2 }' /proc/meminfo
}
private() {
    awk -v name=$1 -v ram=RAM_KIB '
        /^[0-9a-f]+-[0-9a-f]+ / { image = /\.erofs$/ }
        /^Size:/ { size = $2 }
        /^Private_(Clean|Dirty):/ && size != ram && !image { sum += $2 }
        /^Rss:/ && image { mapped += $2 }
        END { print name, "private", sum; print name, "mapped", mapped }' /proc/$2/smaps
}
"#;

/// What a machine does before it waits: reads of its root whatever there is.
const WORK: &str = "cat /bin/busybox /etc/* /data >/dev/null; echo ready; sleep 100000";

fn figures(output: &str, what: &str) -> Vec<u64> {
    let lines = output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.get(1) == Some(&what)).filter_map(|words| words.get(2)?.parse().ok()).collect()
}

#[test]
fn ten_machines_have_one_root_in_memory_and_take_six_mib_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("store.img");
    illico_tests::ext4::make(&disk, 64, 4096);
    packages::require(&[("fincore", "util-linux-extra")]).expect("it can be installed");
    let fincore = packages::find_program("fincore").expect("it is there");
    let ran = user::stage()
        .release()
        .program(fincore)
        .disk("store", disk)
        .bytes("root.tar", image::with_data(16 << 20))
        .script(&MEASURE.replace("RAM_KIB", &RAM_KIB.to_string()))
        .script(
            "mv root.tar /home/user/; as_user import 'illico import ./root.tar many'; sync; echo 3 >/proc/sys/vm/drop_caches",
        )
        .script(&format!(
            "cat import.err; cached none
             for n in $(seq {MACHINES}); do
                 as_user run \"run -d --name m$n --memory {RAM} many sh -c '{WORK}' || exit
                     until illico logs m$n | grep -q ready; do sleep 0.2; done\"
                 cat run.err; cached m$n
             done
             for n in $(seq {MACHINES}); do private m$n $(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' \\
                 /home/user/.local/state/illico/vms/m$n/vm.json); done
             as_user stop 'illico ps --quiet | wc -l; illico rm -f $(illico ps --quiet)'; cat stop.out"
        ))
        .run();
    let output = &ran.output;
    eprintln!("{output}");
    let (pages, files) = (figures(output, "pages"), figures(output, "files"));
    let (private, mapped) = (figures(output, "private"), figures(output, "mapped"));
    assert_eq!((pages.len(), files.len(), private.len()), (MACHINES + 1, MACHINES + 1, MACHINES), "{output}");
    // The guests have read it, and the monitors' mapping is where they did: no copy.
    assert!(pages[1] >= 4096 && mapped.iter().all(|&kib| kib >= 16 << 10), "{output}");
    assert_eq!(pages[1], pages[MACHINES], "more of the image is cached for more machines\n{output}");
    let more = files[MACHINES].saturating_sub(files[1]);
    assert!(more <= CHANCE, "{more} KiB more are cached for nine machines more\n{output}");
    assert!(private.iter().all(|&kib| kib <= PRIVATE && kib > 0), "KiB of their own: {private:?}\n{output}");
}
