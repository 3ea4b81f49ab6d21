//! What comes back from the lab: three virtio-serial ports and the serial console, each a socket that a thread reads.
//!
//! A port carries bytes exactly, which a console does not. The command's output ends with a marker; the files follow
//! each other as a decimal size, a newline and so many bytes (or `-` for a file that is not there); the control port
//! says the status. So nothing is lost if QEMU is killed once all three have ended.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

/// Bytes as they come, until the end or the marker.
///
/// What could be the marker's beginning is held back until it is known. `echo` gets the rest at once.
pub(super) fn output(mut port: impl Read, marker: &[u8], mut echo: Option<impl Write>) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    let mut echoed = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let searched = output.len().saturating_sub(marker.len());
        let length = port.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        output.extend_from_slice(&buffer[..length]);
        let end = output[searched..].windows(marker.len()).position(|window| window == marker);
        let safe = match end {
            Some(at) => searched + at,
            None => output.len().saturating_sub(marker.len()).max(echoed),
        };
        if let Some(terminal) = &mut echo {
            terminal.write_all(&output[echoed..safe])?;
            terminal.flush()?;
        }
        echoed = safe;
        if end.is_some() {
            output.truncate(safe);
            return Ok(output);
        }
    }
}

/// The files that were to be brought back, in their order.
pub(super) fn files(port: impl Read, paths: &[String]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut port = BufReader::new(port);
    let mut files = BTreeMap::new();
    for path in paths {
        let mut line = String::new();
        if port.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == "-\n" {
            continue;
        }
        let size = line.trim_end().parse::<u64>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut content = Vec::new();
        port.by_ref().take(size).read_to_end(&mut content)?;
        if content.len() as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        files.insert(path.clone(), content);
    }
    Ok(files)
}

/// The command's status.
pub(super) fn status(port: &UnixStream) -> io::Result<u8> {
    let mut line = String::new();
    BufReader::new(port).read_line(&mut line)?;
    let status = line.trim_end().strip_prefix("status ").and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is no status")))
}

#[cfg(test)]
#[path = "ports_test.rs"]
mod tests;
