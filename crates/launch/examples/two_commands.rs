//! Starts an image in a machine of its own, runs two commands in it, and stops it.
//!
//!     cargo run -p illico-launch --example two_commands -- IMAGE [KERNEL]

use std::env::args_os;
use std::error::Error;
use std::io::stdout;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use illico_image::{ImageSource, Store};
use illico_launch::session::{Sink, Sinks};
use illico_launch::{Kernel, Plan, Streams, Supplies};
use illico_protocol::Exec;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = args_os().skip(1);
    let name = words.next().and_then(|word| word.into_string().ok()).ok_or("give the name of an image, or its path")?;
    let kernel = Kernel::choose(words.next().map(PathBuf::from).as_deref())?;
    let image = Store::of_user()?.resolve(&ImageSource::parse(&name)?, &mut |_| ())?;

    // The first command keeps the machine up; with its end the machine ends.
    let mut plan = Plan::on_image(kernel, &name, &image, vec!["sleep".into(), "1000".into()])?;
    plan.spec.command.user = Some("0:0".to_owned());
    plan.remove = true;
    let running = plan.prepare(Supplies::default())?.start(Streams::none())?;
    println!("{} runs", running.name());

    for command in [["cat", "/etc/issue"], ["id", "-u"]] {
        let sinks = Sinks::Apart { stdout: to_stdout()?, stderr: to_stdout()? };
        let ending = running.exec(Exec::new(command), Streams { input: None, sinks })?;
        println!("{command:?}: status {}", ending.status());
    }

    let finished = running.stop(Duration::from_secs(5))?;
    println!("{}", finished.outcome);
    let status = finished.outcome.status();
    Ok(finished.record(status)?)
}

fn to_stdout() -> Result<Sink, Box<dyn Error>> {
    Ok(Sink::new(stdout().as_fd().try_clone_to_owned()?))
}
