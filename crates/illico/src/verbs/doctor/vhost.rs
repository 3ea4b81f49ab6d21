//! Whether the host's kernel could move packets by itself (vhost-net). illico's own network card does not
//! use it, so this never is more than a remark.

use std::fs::File;
use std::io;

use super::Finding;

const CHECK: &str = "vhost";
const DEVICE: &str = "/dev/vhost-net";

/// Opens the device and closes it.
pub fn check() -> Finding {
    judge(File::options().read(true).write(true).open(DEVICE).map(drop))
}

fn judge(opened: io::Result<()>) -> Finding {
    let found = match opened {
        Ok(()) => format!("{DEVICE} opens"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("there is no {DEVICE} (modprobe vhost_net)"),
        Err(error) => format!("{DEVICE} does not open ({error})"),
    };
    Finding::ok(CHECK, format!("{found}; network cards do not need it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    #[test]
    fn it_is_a_remark_whether_it_is_there_or_not() {
        for opened in [Ok(()), Err(io::ErrorKind::NotFound.into()), Err(io::ErrorKind::PermissionDenied.into())] {
            assert_eq!(judge(opened).verdict, Verdict::Ok);
        }
    }
}
