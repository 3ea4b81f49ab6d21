//! The metrics on a unix socket, by as much of HTTP/1.1 (RFC 9112) as a collector needs: GET, one request a connection.

use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::process::umask;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::output;
use crate::output::metrics::Format;

/// What a collector's request takes at most.
const LONGEST_REQUEST: usize = 8 << 10;
/// Longer than this a connection holds up no other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers until a signal comes.
pub fn serve(path: &Path, metrics: impl Fn(Format) -> Result<String, Failure>) -> Result<(), Failure> {
    let wrong = |error: io::Error| format!("--listen: cannot listen on {}: {error}", path.display());
    let (listener, _file) = bind(path)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let (ended, handlers) = UnixStream::pair().map_err(wrong)?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, handlers.try_clone()?)?;
    }
    loop {
        let mut ready = [PollFd::new(&ended, PollFlags::IN), PollFd::new(&listener, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
        if !ready[0].revents().is_empty() {
            return Ok(());
        }
        while let Ok((stream, _)) = listener.accept() {
            // A collector that hangs up or asks nonsense is no reason to end.
            if let Err(error) = answer(stream, &metrics) {
                output::say(&format!("--listen: {error}"));
            }
        }
    }
}

/// The socket's file, removed with this.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn bind(path: &Path) -> Result<(UnixListener, SocketFile), Failure> {
    let wrong = |error: io::Error| format!("--listen: cannot listen on {}: {error}", path.display());
    // A socket without a listener is left over, and replaced; any other file is kept.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path).map_err(wrong)?;
    }
    // No other user may connect at any moment.
    let before = umask(Mode::RWXG | Mode::RWXO);
    let listener = UnixListener::bind(path);
    umask(before);
    Ok((listener.map_err(wrong)?, SocketFile(path.to_owned())))
}

fn answer(mut stream: UnixStream, metrics: impl Fn(Format) -> Result<String, Failure>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST_REQUEST {
        match stream.read(&mut part)? {
            0 => break,
            got => request.extend_from_slice(&part[..got]),
        }
    }
    let format = accepted(&request);
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    let (method, path) = (words.next(), words.next());
    let (status, kind, body) = match (method, path) {
        (Some("GET"), Some("/" | "/metrics")) => match metrics(format) {
            Ok(text) => ("200 OK", format.media_type(), text),
            Err(error) => {
                ("503 Service Unavailable", "text/plain", output::error_lines(error.as_ref()).join("\n") + "\n")
            }
        },
        (Some("GET"), Some(_)) => ("404 Not Found", "text/plain", "look at /metrics\n".to_owned()),
        (Some(_), Some(_)) => ("405 Method Not Allowed", "text/plain", "only GET\n".to_owned()),
        _ => ("400 Bad Request", "text/plain", "GET /metrics HTTP/1.1\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// The format that a request's `Accept` names (RFC 9110, section 12.5.1). A collector that reads OpenMetrics prefers it; every
/// other reader gets the older format.
fn accepted(request: &[u8]) -> Format {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let headers = text.lines().skip(1).filter_map(|line| line.strip_prefix("accept:"));
    let refused = |parameters: &str| {
        parameters.split(';').any(|one| matches!(one.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    };
    let mut ranges = headers.flat_map(|value| value.split(',')).map(str::trim);
    let named = ranges.any(|range| {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        kind.trim() == "application/openmetrics-text" && !refused(parameters)
    });
    if named { Format::OpenMetrics } else { Format::Prometheus }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let of = |headers: &str| accepted(format!("GET /metrics HTTP/1.1\r\n{headers}\r\n").as_bytes());
        let prometheus =
            "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n";
        assert_eq!(of(prometheus), Format::OpenMetrics);
        assert_eq!(of("ACCEPT: text/html, Application/OpenMetrics-Text\r\n"), Format::OpenMetrics);
        for other in ["", "Accept: */*\r\n", "Accept: text/plain\r\n", "Accept: application/openmetrics-text;q=0\r\n"] {
            assert_eq!(of(other), Format::Prometheus, "{other}");
        }
    }
}
