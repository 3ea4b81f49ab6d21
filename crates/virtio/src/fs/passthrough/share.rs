//! The shared folder as it was opened at the start, and what stays the same while guests come and go: who is shown
//! as whom, for how long the guest may believe what it hears, which file systems are not shown.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, StatxTimestamp};
use rustix::fs::{chmodat, fstat, fstatfs, open, openat, statx};
use rustix::io::Errno;
use rustix::path::DecInt;
use rustix::process::{Resource, getegid, geteuid, getrlimit};

use super::super::descriptors::{Descriptor, Pool};
use super::super::protocol::{Attr, Sx, SxTime};
use super::super::spec::{Cache, FsError, FsSpec, Owner};

/// What never changes about a share.
#[derive(Debug)]
pub struct Share {
    /// The folder itself, as a place and not to be read.
    pub root: OwnedFd,
    /// `/proc/self/fd`: where a place is opened to be read or written.
    pub places: OwnedFd,
    pub readonly: bool,
    pub cache: Cache,
    pub xattr: bool,
    pub pool: Arc<Pool>,
    /// Bytes that a file may have (`ulimit -f`): the kernel kills a process that writes beyond.
    pub largest: Option<u64>,
    /// Bits that the host takes from the mode of each new file.
    pub umask: u32,
    host: Owner,
    guest: Owner,
}

impl Share {
    pub fn open(spec: &FsSpec, pool: Arc<Pool>) -> Result<Self, FsError> {
        spec.check()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let wrong = |error: Errno| FsError::Open { path: spec.path.clone(), source: error.into() };
        let root = open(&spec.path, flags, Mode::empty()).map_err(wrong)?;
        if is_pseudo(&root).map_err(wrong)? {
            return Err(FsError::Pseudo { path: spec.path.clone() });
        }
        let proc = |error: Errno| FsError::Proc(error.into());
        Ok(Self {
            root,
            places: open("/proc/self/fd", flags, Mode::empty()).map_err(proc)?,
            readonly: spec.readonly,
            cache: spec.cache.unwrap_or(if spec.readonly { Cache::Always } else { Cache::Auto }),
            xattr: spec.xattr,
            pool,
            largest: getrlimit(Resource::Fsize).current,
            umask: umask().map_err(FsError::Proc)?,
            host: Owner { uid: geteuid().as_raw(), gid: getegid().as_raw() },
            guest: spec.owner,
        })
    }

    /// For how many seconds the guest may believe names and attributes.
    pub fn valid(&self) -> u64 {
        match self.cache {
            Cache::Auto => 1,
            Cache::Always => 86_400,
        }
    }

    /// Refuses what would make a file too large, rather than be killed for it.
    pub fn fits(&self, file: &impl AsFd, start: u64, length: u64) -> Result<(), Errno> {
        let Some(largest) = self.largest else { return Ok(()) };
        // What is appended begins at the end, whatever the guest says.
        let start = u64::try_from(fstat(file)?.st_size).map_or(start, |size| size.max(start));
        if start.saturating_add(length) > largest { Err(Errno::FBIG) } else { Ok(()) }
    }

    /// Opens one component of a path as a place: never followed, never read.
    pub fn place(&self, folder: &Descriptor, name: &CStr) -> Result<Descriptor, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.as_owner(folder, || self.pool.open(|| openat(folder, name, flags, Mode::empty())))
    }

    /// Attributes as the guest sees them.
    pub fn shown(&self, stat: &Statx, ino: u64) -> Attr {
        Attr {
            ino,
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            atime: stat.stx_atime.tv_sec as u64,
            mtime: stat.stx_mtime.tv_sec as u64,
            ctime: stat.stx_ctime.tv_sec as u64,
            atimensec: stat.stx_atime.tv_nsec,
            mtimensec: stat.stx_mtime.tv_nsec,
            ctimensec: stat.stx_ctime.tv_nsec,
            mode: stat.stx_mode.into(),
            nlink: stat.stx_nlink,
            uid: self.shown_uid(stat.stx_uid),
            gid: self.shown_gid(stat.stx_gid),
            // As Linux has it in 32 bits (`new_encode_dev`).
            rdev: stat.stx_rdev_minor & 0xff | stat.stx_rdev_major << 8 | (stat.stx_rdev_minor & !0xff) << 12,
            blksize: stat.stx_blksize,
            flags: 0,
        }
    }

    /// The same as `statx(2)` has them. The numbers of its device are the guest's own.
    pub fn shown_extended(&self, stat: &Statx, ino: u64) -> Sx {
        let time = |time: StatxTimestamp| SxTime { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec, reserved: 0 };
        Sx {
            mask: stat.stx_mask & (StatxFlags::BASIC_STATS | StatxFlags::BTIME).bits(),
            blksize: stat.stx_blksize,
            nlink: stat.stx_nlink,
            uid: self.shown_uid(stat.stx_uid),
            gid: self.shown_gid(stat.stx_gid),
            mode: stat.stx_mode,
            ino,
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            atime: time(stat.stx_atime),
            btime: time(stat.stx_btime),
            ctime: time(stat.stx_ctime),
            mtime: time(stat.stx_mtime),
            rdev_major: stat.stx_rdev_major,
            rdev_minor: stat.stx_rdev_minor,
            ..Sx::default()
        }
    }

    /// Does something with `place` for which its permissions may be in the way, although it belongs to the user who runs illico.
    ///
    /// Root in a guest expects to open its own files of mode 0000 and to write into its own folders of mode 0555; on the host they
    /// belong to a plain user, whom the kernel refuses. That user could give itself the rights by chmod(2), and the guest could ask
    /// for that. So they are given for the time of this one call. Nothing is changed in a read-only share.
    pub fn as_owner<T>(&self, place: &impl AsFd, mut act: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        let refused = match act() {
            Err(Errno::ACCESS) if !self.readonly => Errno::ACCESS,
            done => return done,
        };
        let stat = stat(place)?;
        let mode = u32::from(stat.stx_mode);
        let rights =
            if FileType::from_raw_mode(mode) == FileType::Directory { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
        let (mode, rights) = (Mode::from_raw_mode(mode), Mode::from_raw_mode(mode).union(rights));
        if stat.stx_uid != self.host.uid || mode == rights {
            return Err(refused);
        }
        let set = |mode| chmodat(&self.places, DecInt::from_fd(place), mode, AtFlags::empty());
        set(rights).map_err(|_| refused)?;
        let done = act();
        set(mode)?;
        done
    }

    /// The user that owns in the guest what `uid` owns on the host.
    pub fn shown_uid(&self, uid: u32) -> u32 {
        if uid == self.host.uid { self.guest.uid } else { uid }
    }

    /// The group likewise.
    pub fn shown_gid(&self, gid: u32) -> u32 {
        if gid == self.host.gid { self.guest.gid } else { gid }
    }
}

/// What the kernel knows of a place.
pub fn stat(place: &impl AsFd) -> Result<Statx, Errno> {
    stat_at(place, c"", AtFlags::EMPTY_PATH)
}

/// What it knows of a name in a folder.
pub fn stat_at(folder: &impl AsFd, name: &CStr, flags: AtFlags) -> Result<Statx, Errno> {
    // Not exported by rustix: STATX_MNT_ID, since Linux 5.8.
    let mount = StatxFlags::from_bits_retain(0x1000);
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | mount;
    statx(folder, name, flags | AtFlags::NO_AUTOMOUNT, wanted)
}

/// Whether a place is on a file system whose files are the kernel's doing rather than data. A devtmpfs cannot be
/// told from a tmpfs: its nodes are shown, and as everywhere never opened.
pub fn is_pseudo(place: &impl AsFd) -> Result<bool, Errno> {
    Ok(PSEUDO.contains(&(fstatfs(place)?.f_type as u32)))
}

/// `include/uapi/linux/magic.h`.
const PSEUDO: [u32; 32] = [
    0x0000_0187, // autofs
    0x0000_1cd1, // devpts
    0x0000_9fa0, // proc
    0x0000_9fa1, // openpromfs
    0x0000_9fa2, // usbdevfs
    0x0027_e0eb, // cgroup
    0x0765_5821, // resctrl
    0x0a64_7361, // functionfs
    0x1980_0202, // mqueue
    0x4249_4e4d, // binfmt_misc
    0x4341_5d53, // smackfs
    0x5049_4446, // pidfs
    0x5a3c_69f0, // apparmorfs
    0x6165_676c, // pstorefs
    0x6265_6570, // configfs
    0x6265_6572, // sysfs
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x6573_5543, // fusectl
    0x6759_6969, // rpc_pipefs
    0x6c6f_6f70, // binder
    0x6e66_7364, // nfsd
    0x6e73_6673, // nsfs
    0x7363_6673, // securityfs
    0x7472_6163, // tracefs
    0x76a9_f425, // ocfs2_dlmfs
    0x9584_58f6, // hugetlbfs
    0xabba_1974, // xenfs
    0xaee7_1ee7, // gadgetfs
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
];

fn umask() -> io::Result<u32> {
    // Asking the kernel by umask(2) would change it for all threads.
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let bits = line.and_then(|line| u32::from_str_radix(line.trim(), 8).ok());
    bits.ok_or_else(|| io::Error::other("/proc/self/status does not tell the umask"))
}
