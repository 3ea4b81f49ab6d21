//! Walls around a machine: what each thread of its process may still do once the guest runs.
//!
//! [`raise`] is called once all that a machine needs is decided, and before it is built. From then on each thread takes
//! from itself what its role does not need, by the hook on threads (`illico_machine::threads`); the first thread of the
//! machine, the last to get its role, takes from the whole process what it does not need at all. The walls are those of
//! `illico-jail`.

use std::error::Error;
use std::path::{Path, PathBuf};

use illico_jail::paths::{self, Rights, Rule};
use illico_jail::seccomp::{self, Mode};
use illico_jail::{JailError, Role, process};
use illico_machine::config::Config;
use illico_machine::threads;

use crate::vms::Vms;

/// How a machine is jailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jail {
    /// Not at all.
    Off,
    /// System calls that would not be allowed are printed, and made. No wall but that.
    Warn,
    /// What is not allowed is refused, and a system call that is not allowed ends the process.
    #[default]
    On,
}

/// Folders that threads of a machine need once the guest runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folders {
    /// Shared with the guest; whether it may write there.
    pub shares: Vec<(PathBuf, bool)>,
    /// Where it is written down how the machine ended.
    pub state: Vec<PathBuf>,
    /// Where sockets are that the guest connects to, and where the machine's own is removed.
    pub sockets: Option<PathBuf>,
}

impl Folders {
    /// Those of a machine, registered here if anywhere.
    pub fn of(config: &Config, vms: Option<&Vms>) -> Self {
        let folder = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Self {
            shares: config.fs.iter().map(|share| (share.path.clone(), !share.readonly)).collect(),
            state: vms.map_or_else(Vec::new, Vms::folders),
            sockets: config.vsock.as_ref().map(|vsock| folder(&vsock.path)),
        }
    }

    /// What each role may do in them. One that cannot be opened is left out: it gives no right, and what it is for says
    /// why.
    fn rules(&self) -> Rules {
        let rule = |folder: &Path, rights| Rule::new(folder, rights).ok();
        let files = self
            .shares
            .iter()
            .filter_map(|(folder, writes)| rule(folder, if *writes { Rights::Write } else { Rights::Read }));
        let sockets = |rights| self.sockets.iter().filter_map(move |folder| rule(folder, rights));
        let state = || self.state.iter().filter_map(|folder| rule(folder, Rights::Write));
        Rules {
            files: files.collect(),
            devices: sockets(Rights::Connect).collect(),
            session: state().collect(),
            control: state().chain(sockets(Rights::Remove)).collect(),
        }
    }
}

/// Folders by role; a role without any opens nothing.
struct Rules {
    files: Vec<Rule>,
    devices: Vec<Rule>,
    session: Vec<Rule>,
    control: Vec<Rule>,
}

impl Rules {
    fn of(&self, role: Role) -> &[Rule] {
        match role {
            Role::Files => &self.files,
            Role::Devices => &self.devices,
            Role::Session => &self.session,
            Role::Control => &self.control,
            Role::Vcpu | Role::Queue | Role::Watch => &[],
        }
    }
}

/// Raises the walls for the machine that this process makes next, and for every other after it.
pub fn raise(jail: Jail, folders: &Folders) -> Result<(), JailError> {
    let mode = match jail {
        Jail::Off => return Ok(()),
        Jail::Warn => Mode::Warn,
        Jail::On => Mode::End,
    };
    let rules = folders.rules();
    seccomp::prepare(mode)?;
    let hook = move |started| {
        if let Err(error) = confine(role(started), mode, &rules) {
            // A thread without its walls must not meet a guest.
            panic!("{error}: {}", error.source().map_or_else(String::new, ToString::to_string));
        }
    };
    // A process has one hook: a second machine in it has the walls of the first.
    let _ = threads::on_start(hook);
    Ok(())
}

/// Takes from the calling thread what its role does not need.
fn confine(role: Role, mode: Mode, rules: &Rules) -> Result<(), JailError> {
    // The first thread of a machine gets its role when everything is open.
    if role == Role::Control {
        process::confine()?;
    }
    if mode == Mode::End {
        paths::enter(rules.of(role))?;
    }
    seccomp::enter(role, mode)
}

/// The rights of a thread.
fn role(started: threads::Role) -> Role {
    match started {
        threads::Role::Control => Role::Control,
        threads::Role::Vcpu => Role::Vcpu,
        threads::Role::Devices => Role::Devices,
        threads::Role::Queue => Role::Queue,
        threads::Role::Files => Role::Files,
        threads::Role::Session => Role::Session,
        threads::Role::Sampler | threads::Role::Signals | threads::Role::Timer => Role::Watch,
    }
}

#[cfg(test)]
mod tests {
    use illico_virtio::fs::FsSpec;
    use illico_virtio::vsock::VsockSpec;

    use super::*;

    #[test]
    fn a_machine_reaches_its_shares_its_sockets_and_its_state() {
        let mut config = Config::default();
        config.fs.push(FsSpec { readonly: true, ..FsSpec::new("/usr", "usr") });
        config.fs.push(FsSpec::new("/tmp", "tmp"));
        config.vsock = Some(VsockSpec { path: "sock".into(), cid: 3 });
        let folders = Folders::of(&config, None);
        assert_eq!(folders.shares, [("/usr".into(), false), ("/tmp".into(), true)]);
        assert_eq!((folders.state.len(), folders.sockets.clone()), (0, Some(".".into())));
        let rules = folders.rules();
        assert_eq!((rules.of(Role::Files).len(), rules.of(Role::Devices).len()), (2, 1));
        assert!(rules.of(Role::Vcpu).is_empty() && rules.of(Role::Queue).is_empty());
    }
}
