//! `illico run`: a program in its own kernel.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use illico_protocol::Limit;

use super::{Accounting, Timeline};

use crate::vms::Name;

pub const USAGE: &str = "illico run [OPTIONS] [IMAGE] [--] [COMMAND [ARG...]]";

pub const HELP: &str = "\
Examples:
  illico run -- make test                       this host's files, read-only below a scratch layer
  illico run --rw-cwd -- cargo build            the same, and writes to the current folder go through
  illico run -it debian:12                      an image, on a terminal
  illico run -d --name web -p 8080:80 nginx     in the background, reached at port 8080 of this host
  illico run --net none -v ./in:/in:ro alpine -- sha256sum /in/file
  illico run --kernel netbsd disk.img           a kernel that is not Linux, as illico boot does it

Signals: HUP, INT, QUIT, TERM, USR1, USR2 go to the command; before it has started, and with a second TERM, they end the machine.

Status:
  N    the command's own
  105  the command ended with 0, but the guest spent more exits than --budget allows
  125  illico could not do what was asked, or the guest ended before its command
  126  the command's program cannot be executed
  127  there is no such program
  128+n  the command was ended by signal n (143: also by a second SIGTERM; 124: --timeout was over)";

/// Options of `illico run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Keep standard input open and pass it on. Example: illico run -i -- wc -l <file
    #[arg(long, short)]
    pub interactive: bool,

    /// Give the command a terminal; with -i, this one. Example: -it
    #[arg(long, short)]
    pub tty: bool,

    /// Run in the background; prints the name once the command runs. Example: -d
    #[arg(long, short)]
    pub detach: bool,

    /// The child of --detach, which the machine lives in.
    #[arg(long, hide = true)]
    pub is_detached: bool,

    /// Name of the machine [default: invented]. Example: --name web
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Forget the machine when it ends. Without -d that is so anyway unless it has a --name. Example: --rm
    #[arg(long)]
    pub rm: bool,

    /// A variable for the command; without a value, that of this process. May be repeated. Example: -e LANG=C -e TOKEN
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,

    /// Variables from a file: a line each, as for -e; lines that begin with # are left out. Example: --env-file job.env
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Folder that the command starts in [default: the image's, or the current one]. Example: -w /src
    #[arg(long, short, value_name = "FOLDER")]
    pub workdir: Option<OsString>,

    /// User, by name or number, that the command runs as [default: the image's, or you]. Example: -u nobody
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Limit of the command, by its name in setrlimit(2); may be repeated. -1 is no limit. Open files are limited to
    /// 1,048,576 without. Example: --ulimit nofile=1024:4096
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<Limit>,

    /// Share a folder or file of this host; may be repeated. Example: -v ./data:/data:ro
    #[arg(long, short, value_name = "HOST:GUEST[:ro]")]
    pub volume: Vec<OsString>,

    /// Let writes to the current folder through (without an image). Example: --rw-cwd
    #[arg(long)]
    pub rw_cwd: bool,

    /// Put the scratch layer on a disk of this size, which is a file with holes, and gone with the machine
    /// [default: in the guest's memory]. Example: --scratch 10G
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub scratch: Option<String>,

    /// Kernel of the guest, by name or file [default: what `illico kernel ls` marks]. Example: --kernel ./vmlinuz
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Network of the machine: one that leads to the host's, without any rights, by the program passt; none; or a
    /// card on a tap that exists [default: user]. Example: --net none
    #[arg(long, value_name = "user[,loopback]|none|tap=NAME[,ip=ADDR/BITS][,gateway=ADDR][,dns=ADDR]")]
    pub net: Option<String>,

    /// Lead a port of this host into the machine; may be repeated. Example: -p 8080:80
    #[arg(long, short, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<String>,

    /// vCPUs, 1 to 64 [default: 1]. Example: --cpus 4
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<String>,

    /// Guest RAM; a bare number is MiB [default: 512M]. The scratch layer is in it. Example: --memory 2G
    #[arg(long, short, value_name = "SIZE", allow_negative_numbers = true)]
    pub memory: Option<String>,

    /// End the machine after so long; the status is then 124. Example: --timeout 10m
    #[arg(long, value_name = "N[s|m|h]")]
    pub timeout: Option<String>,

    #[command(flatten)]
    pub accounting: Accounting,

    #[command(flatten)]
    pub timeline: Timeline,

    /// Draw no progress while an image is unpacked. Example: --quiet
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say which kernel, image and devices are chosen, and show the kernel's log. Example: --verbose
    #[arg(long)]
    pub verbose: bool,

    /// An image, unless -- comes first, and the command with its arguments.
    #[arg(value_name = "IMAGE", trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    pub words: Vec<OsString>,
}
