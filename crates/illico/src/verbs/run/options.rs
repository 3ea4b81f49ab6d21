//! From the options of `illico run` to a plan.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use illico_image::{ImageSource, Store};
use illico_launch::{Environment, HostSide, Kernel, Plan, PlanError, Share, scratch};
use illico_machine::config::{Config, MAX_CPUS};
use rustix::process::{getgid, getuid};

use super::timeout;
use super::words::Words;
use crate::failure::Failure;
use crate::naming::{self, Origin};
use crate::output::progress::Bars;
use crate::verbs::run::Run;
use crate::{output, signals};

/// The plan that the options and the words behind them describe.
pub fn plan(options: &Run, words: Words) -> Result<Plan, Failure> {
    // Before an image is fetched: that takes time.
    let shares = options.volume.iter().map(|text| Share::parse(text)).collect::<Result<Vec<_>, _>>();
    let shares = shares.map_err(|error| naming::of_plan(&error))?;
    let timeout = options.timeout.as_deref().map(timeout::parse).transpose()?;
    let scratch =
        options.scratch.as_deref().map(scratch::parse).transpose().map_err(|error| naming::of_plan(&error))?;
    let mut plan = match words.image {
        None => on_host(options, words.command)?,
        Some(image) => on_image(options, &image, words.command)?,
    };
    let command = &mut plan.spec.command;
    options.command.apply(command);
    command.terminal = options.tty.then(|| signals::window().unwrap_or(signals::UNSEEN));
    command.stdin = options.interactive && !options.detach;
    share(&mut plan, &shares).map_err(|error| naming::of_plan(&error))?;
    (plan.timeout, plan.scratch, plan.jail) = (timeout, scratch, options.jail.level());
    let net = options.net.as_deref().unwrap_or("user");
    plan.connect(net, &options.publish).map_err(|error| naming::of_plan(&error))?;
    plan.name.clone_from(&options.name);
    plan.remove = options.rm || (!options.detach && options.name.is_none());
    if options.verbose {
        plan.config.cmdline.clear();
    }
    size(&mut plan.config, options)?;
    Ok(plan)
}

fn share(plan: &mut Plan, shares: &[Share]) -> Result<(), PlanError> {
    for (index, share) in shares.iter().enumerate() {
        plan.share(share, format!("v{index}"))?;
    }
    Ok(())
}

/// On this host's own files: as the person, in the current folder.
fn on_host(options: &Run, command: Vec<OsString>) -> Result<Plan, Failure> {
    let mut environment = Environment::of_host(std::env::vars_os());
    add(&mut environment, options)?;
    let cwd = current_folder()?;
    let side = HostSide { uid: getuid().as_raw(), gid: getgid().as_raw(), cwd: cwd.clone() };
    let mut plan = Plan::on_host(kernel(options)?, &side, environment, command);
    if options.rw_cwd {
        let share = Share { host: cwd.clone(), guest: cwd, readonly: false };
        plan.share(&share, "cwd".to_owned()).map_err(|error| naming::of_plan(&error))?;
    }
    Ok(plan)
}

/// On an image: as it says, below a scratch layer.
fn on_image(options: &Run, image: &OsStr, command: Vec<OsString>) -> Result<Plan, Failure> {
    if options.rw_cwd {
        return Err("--rw-cwd is for this host's own files; share a folder with an image by -v".into());
    }
    let kernel = kernel(options)?;
    let mut bars = Bars::new(options.quiet || options.detach);
    let found = Store::of_user()?.resolve(&ImageSource::parse(image)?, &mut |progress| bars.tell(progress));
    drop(bars);
    let name = image.to_string_lossy();
    let mut plan = Plan::on_image(kernel, &name, &found?, command).map_err(|error| Origin::Run.explain(error))?;
    if options.tty {
        plan.environment.set_if_missing("TERM", std::env::var_os("TERM"));
    }
    add(&mut plan.environment, options)?;
    Ok(plan)
}

fn add(environment: &mut Environment, options: &Run) -> Result<(), Failure> {
    options.command.add_variables(&options.env_file, environment)
}

fn kernel(options: &Run) -> Result<Kernel, Failure> {
    let kernel = Kernel::choose(options.kernel.as_deref()).map_err(|error| Origin::Run.explain(error))?;
    if options.verbose {
        let (release, path, origin) = (kernel.release(), kernel.path().display(), kernel.origin());
        output::say(&format!("kernel {release} ({path}), from {origin}"));
    }
    Ok(kernel)
}

/// Sets the vCPUs and the memory that were asked for.
pub fn size(config: &mut Config, options: &Run) -> Result<(), Failure> {
    if let Some(cpus) = &options.cpus {
        let wrong = |_| format!("--cpus: {cpus:?} is not a number between 1 and {MAX_CPUS}");
        config.cpus = cpus.parse().map_err(wrong)?;
    }
    if let Some(memory) = &options.memory {
        config.memory = memory.parse().map_err(|error| format!("--memory: {error}"))?;
    }
    Ok(())
}

/// The folder that this process is in, by the name that its user knows it by: `PWD`, if it leads to the same folder.
fn current_folder() -> Result<PathBuf, Failure> {
    use std::os::unix::fs::MetadataExt;
    let real = std::env::current_dir().map_err(|error| format!("the current folder: {error}; change to one"))?;
    let same = |path: &Path| match (path.metadata(), real.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    let known = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute() && same(path));
    Ok(known.unwrap_or(real))
}
