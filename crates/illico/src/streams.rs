//! Standard input, output and error of this process, joined to a command in a guest.

use std::io::{self, stderr, stdin, stdout};
use std::os::fd::AsFd;

use illico_launch::session::{Input, Sink, Sinks};

/// Standard input, on a descriptor of its own.
pub fn input() -> io::Result<Input> {
    Ok(Input::new(stdin().as_fd().try_clone_to_owned()?))
}

/// Standard output and error, on descriptors of their own.
pub fn sinks() -> io::Result<Sinks> {
    let stdout = Sink::new(stdout().as_fd().try_clone_to_owned()?);
    let stderr = Sink::new(stderr().as_fd().try_clone_to_owned()?);
    Ok(Sinks::Apart { stdout, stderr })
}
