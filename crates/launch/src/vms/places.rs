//! Where state and sockets are kept: the XDG base directory specification, with its fall-backs.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use illico_image::xdg::Base;

use super::Name;

/// Bytes that the path of a socket has at most (`sun_path` of unix(7), with its final zero).
const SUN_PATH: usize = 108;
/// What comes behind the folder of sockets: `/NAME.12345678/vsock_65535`, and room for longer ones.
const BEHIND: usize = 1 + 40 + 9 + 20;

/// Where the machines of a user are.
#[derive(Debug, Clone)]
pub struct Places {
    /// A folder for each machine.
    pub vms: PathBuf,
    /// Folders for sockets, whose paths must be short.
    pub sockets: PathBuf,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// No variable says where state is kept.
    #[error("no folder for the state of machines: neither XDG_STATE_HOME nor HOME is set to an absolute path")]
    NoHome,
    /// The folder of sockets was refused.
    #[error("cannot make the folder {} for sockets (set XDG_RUNTIME_DIR to a folder of your own)", path.display())]
    Sockets {
        /// Which.
        path: PathBuf,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// Another user can write there.
    #[error("{} is not a folder of yours alone; set XDG_RUNTIME_DIR to one", path.display())]
    Foreign {
        /// Which folder.
        path: PathBuf,
    },
}

impl Places {
    /// Where the environment says.
    pub fn of_user() -> Result<Self, PlacesError> {
        Self::from(|name| std::env::var_os(name), rustix::process::getuid().as_raw())
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>, uid: u32) -> Result<Self, PlacesError> {
        let state = Base::State.folder_from(&variable).ok_or(PlacesError::NoHome)?;
        let sockets = Base::Runtime.folder_from(&variable).map(|folder| folder.join("illico"));
        let sockets = sockets.filter(|path| path.as_os_str().len() + BEHIND <= SUN_PATH);
        let sockets = sockets.unwrap_or_else(|| PathBuf::from(format!("/tmp/illico-{uid}")));
        Ok(Self { vms: state.join("illico/vms"), sockets })
    }

    /// A folder for the sockets of a machine, with a name that was not used before. It is not made here.
    pub(super) fn sockets_of(&self, name: &Name) -> PathBuf {
        let mut bytes = [0; 4];
        // Without randomness the name alone must do.
        let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
        self.sockets.join(format!("{name}.{:08x}", u32::from_ne_bytes(bytes)))
    }
}

/// Makes a folder for sockets, in one that must be the user's alone: it may be in /tmp.
pub(super) fn make_for_sockets(folder: &Path) -> Result<(), PlacesError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| PlacesError::Sockets { path, source }
    };
    let parent = folder.parent().unwrap_or(folder);
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    match builder.create(parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(parent)(error)),
        _ => {}
    }
    let found = std::fs::symlink_metadata(parent).map_err(refused(parent))?;
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if !ours {
        return Err(PlacesError::Foreign { path: parent.to_owned() });
    }
    builder.create(folder).map_err(refused(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Places, PlacesError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Places::from(find, 1000)
    }

    #[test]
    fn the_xdg_folders_come_first_and_home_and_tmp_after_them() {
        let places = from(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1000")]).unwrap();
        assert_eq!(places.vms, Path::new("/s/illico/vms"));
        assert_eq!(places.sockets, Path::new("/run/user/1000/illico"));
        let places = from(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]).unwrap();
        assert_eq!(places.vms, Path::new("/h/.local/state/illico/vms"));
        assert_eq!(places.sockets, Path::new("/tmp/illico-1000"));
    }

    #[test]
    fn a_runtime_folder_that_is_too_deep_for_sockets_is_not_used() {
        let deep = format!("/{}", "x".repeat(80));
        assert_eq!(from(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", &deep)]).unwrap().sockets, Path::new("/tmp/illico-1000"));
    }

    #[test]
    fn without_a_home_it_says_what_to_set() {
        assert!(matches!(from(&[]), Err(PlacesError::NoHome)));
        assert!(matches!(from(&[("HOME", "")]), Err(PlacesError::NoHome)));
    }

    #[test]
    fn a_folder_for_sockets_is_made_only_where_nobody_else_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours/web.1");
        make_for_sockets(&ours).unwrap();
        assert_eq!(std::fs::metadata(&ours).unwrap().mode() & 0o777, 0o700);
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(make_for_sockets(&open.join("web.1")), Err(PlacesError::Foreign { .. })));
        std::os::unix::fs::symlink(folder.path().join("ours"), folder.path().join("link")).unwrap();
        assert!(matches!(make_for_sockets(&folder.path().join("link/web.2")), Err(PlacesError::Foreign { .. })));
    }
}
