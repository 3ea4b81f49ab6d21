//! What shall run: from options to a machine and what its PID 1 is told.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use illico_image::{ImageSource, Store};
use illico_machine::config::{Config, Console, MAX_CPUS, Size, Switch};
use illico_protocol::{Exec, Mount, Root, RunSpec, Upper, Word};
use illico_virtio::block::DiskSpec;
use illico_virtio::fs::{FsSpec, Owner};
use rustix::process::{getgid, getuid};

use super::environment::{Environment, current_folder};
use super::kernel::Kernel;
use super::share::Share;
use super::words::Words;
use super::{network, process, root, scratch, timeout};
use crate::cli::Run;
use crate::commands::Failure;
use crate::output::progress::Bars;
use crate::signals;

/// What shall run.
#[derive(Debug)]
pub struct Plan {
    /// The machine, but for what depends on its folder.
    pub config: Config,
    /// What its PID 1 is told, but for its name.
    pub spec: RunSpec,
    /// The image, as the person wrote it.
    pub image: Option<String>,
    /// What the command hears when it shall stop.
    pub stop_signal: u8,
    /// Files that are shared alone: which of `config.fs` each is for, and the file.
    pub files: Vec<(usize, PathBuf)>,
    /// The guest's kernel.
    pub kernel: Kernel,
    /// How long the machine may live.
    pub timeout: Option<Duration>,
    /// How large the disk of its scratch layer is.
    pub scratch: Option<Size>,
}

impl Plan {
    /// What the options say.
    pub fn from(options: &Run, words: Words) -> Result<Self, Failure> {
        // Before an image is fetched: that takes time.
        let shares = options.volume.iter().map(|text| Share::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let timeout = options.timeout.as_deref().map(timeout::parse).transpose()?;
        let scratch = options.scratch.as_deref().map(scratch::parse).transpose()?;
        let mut plan = match words.image {
            None => Self::on_host(options, words.command)?,
            Some(image) => Self::on_image(options, &image, words.command)?,
        };
        let Exec { env: _, cwd, user, terminal, stdin, limits, command: _ } = &mut plan.spec.command;
        limits.clone_from(&options.ulimit);
        if let Some(folder) = &options.workdir {
            *cwd = Some(folder.clone().into());
        }
        if let Some(asked) = &options.user {
            *user = Some(asked.clone());
        }
        *terminal = options.tty.then(|| signals::window().unwrap_or(signals::UNSEEN));
        *stdin = options.interactive && !options.detach;
        for (index, share) in shares.iter().enumerate() {
            plan.share(share, format!("v{index}"))?;
        }
        (plan.timeout, plan.scratch) = (timeout, scratch);
        let net = options.net.as_deref().unwrap_or("user");
        plan.spec.network = network::attach(net, &options.publish, &mut plan.config)?;
        plan.config.kernel = plan.kernel.path().to_owned();
        plan.size(options)?;
        Ok(plan)
    }

    /// On this host's own files: as the person, in the current folder.
    fn on_host(options: &Run, command: Vec<OsString>) -> Result<Self, Failure> {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let owner = Owner { uid, gid };
        let mut environment = Environment::of_host(std::env::vars_os());
        environment.ask(&options.env_file, &options.env, |name| std::env::var_os(name))?;
        let cwd = current_folder()?;
        let command = Exec {
            env: environment.words(),
            cwd: Some(Word::from(cwd.as_path())),
            user: Some(format!("{uid}:{gid}")),
            ..Exec::new(command)
        };
        let root = FsSpec { readonly: true, owner, ..FsSpec::new("/", ROOT_TAG) };
        let config = Config { fs: vec![root], ..Self::machine(options) };
        let spec = RunSpec::new("illico", Root::share(), command);
        let mut plan = Self {
            config,
            spec,
            image: None,
            stop_signal: process::SIGTERM,
            files: Vec::new(),
            kernel: Kernel::choose(options.kernel.as_deref(), options.verbose)?,
            timeout: None,
            scratch: None,
        };
        if options.rw_cwd {
            let share = Share { host: cwd.clone(), guest: cwd, readonly: false };
            plan.share(&share, "cwd".to_owned())?;
        }
        Ok(plan)
    }

    /// On an image: as it says, below a scratch layer.
    fn on_image(options: &Run, image: &OsStr, command: Vec<OsString>) -> Result<Self, Failure> {
        if options.rw_cwd {
            return Err("--rw-cwd is for this host's own files; share a folder with an image by -v".into());
        }
        let kernel = Kernel::choose(options.kernel.as_deref(), options.verbose)?;
        let name = image.to_str().ok_or_else(|| format!("{}: no image has such a name", image.display()))?;
        let mut bars = Bars::new(options.quiet || options.is_detached);
        let image = Store::of_user()?.resolve(&ImageSource::parse(name)?, &mut |progress| bars.tell(progress));
        drop(bars);
        let image = image?;
        let mut environment = process::environment(&image.config);
        if options.tty {
            environment.set_if_missing("TERM", std::env::var_os("TERM"));
        }
        environment.ask(&options.env_file, &options.env, |name| std::env::var_os(name))?;
        let command = Exec { env: environment.words(), ..process::command(&image.config, command)? };
        let mut config = Self::machine(options);
        let root = root::attach(&image.root, &mut config, kernel.maps());
        let spec = RunSpec::new("illico", root, command);
        let (image, stop_signal) = (Some(name.to_owned()), process::stop_signal(&image.config));
        Ok(Self { config, spec, image, stop_signal, files: Vec::new(), kernel, timeout: None, scratch: None })
    }

    /// Puts the scratch layer on a disk at this path.
    pub fn add_scratch(&mut self, path: &Path, size: Size) -> Result<(), Failure> {
        scratch::make(path, size)?;
        self.spec.upper = Upper::Device { path: root::next_disk(&self.config), filesystem: "ext4".to_owned() };
        self.config.disk.push(DiskSpec::new(path));
        Ok(())
    }

    /// A machine with nothing in it.
    fn machine(options: &Run) -> Config {
        let cmdline = if options.verbose { String::new() } else { "quiet".to_owned() };
        Config { cmdline, entropy: Switch::Off, console: Console::Virtio, ..Config::default() }
    }

    /// Shares a folder, or a file alone.
    fn share(&mut self, share: &Share, tag: String) -> Result<(), Failure> {
        let owner = self.owner();
        let Share { host, guest, readonly } = share;
        let file = if host.is_dir() {
            None
        } else if let (Some(name), true) = (host.file_name(), host.is_file()) {
            self.files.push((self.config.fs.len(), host.clone()));
            Some(Word::from(name))
        } else {
            return Err(format!("-v: {} is neither a folder nor a file", host.display()).into());
        };
        self.config.fs.push(FsSpec { readonly: *readonly, owner, ..FsSpec::new(host, &*tag) });
        self.spec.mounts.push(Mount { file, ..Mount::folder(tag, guest.as_path(), *readonly) });
        Ok(())
    }

    /// Puts each file that is shared alone into a folder of its own: what is shared is a folder, and nothing else is to be
    /// seen in it. `place` is where those folders are made.
    pub fn seclude_files(&mut self, place: &Path) -> Result<(), Failure> {
        for (index, file) in std::mem::take(&mut self.files) {
            let Some(spec) = self.config.fs.get_mut(index) else { continue };
            let wrong = |error: io::Error| format!("-v: {}: {error}", file.display());
            let folder = place.join(&spec.tag);
            fs::create_dir_all(&folder).map_err(wrong)?;
            let alone = folder.join(file.file_name().unwrap_or_default());
            match (fs::hard_link(&file, &alone), spec.readonly) {
                (Ok(()), _) => {}
                // On another file system, or another user's. A copy is as good where nobody writes.
                (Err(_), true) => drop(fs::copy(&file, &alone).map_err(wrong)?),
                (Err(error), false) => {
                    let fix = "a file is shared for writing by a hard link; share its folder, or make it :ro";
                    return Err(format!("-v: {}: {error}; {fix}", file.display()).into());
                }
            }
            spec.path = folder;
        }
        Ok(())
    }

    /// Whom in the guest the files of this user belong to: the command's user, if that is a number.
    fn owner(&self) -> Owner {
        self.spec.command.user.as_deref().and_then(|user| user.parse().ok()).unwrap_or_default()
    }

    fn size(&mut self, options: &Run) -> Result<(), Failure> {
        if let Some(cpus) = &options.cpus {
            let wrong = |_| format!("--cpus: {cpus:?} is not a number between 1 and {MAX_CPUS}");
            self.config.cpus = cpus.parse().map_err(wrong)?;
        }
        if let Some(memory) = &options.memory {
            self.config.memory = memory.parse().map_err(|error| format!("--memory: {error}"))?;
        }
        Ok(())
    }
}

/// The tag of the root file system.
const ROOT_TAG: &str = "root";
