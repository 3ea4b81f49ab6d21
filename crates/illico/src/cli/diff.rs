//! `illico diff`: where the exits of two runs differ.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

pub const HELP: &str = "\
Examples:
  illico diff pci.json mmio.json
  illico diff --change '--transport mmio' -- --kernel vmlinuz --initrd initrd.img
  illico diff --change '--without event-idx' -- --kernel vmlinuz --disk path=root.img
  illico diff --change '--kernel vmlinux-6.1' --json -- --kernel vmlinux-6.12

Status:
  0    both runs were compared
  125  illico could not do what was asked: a file is no report, or a guest did not end well";

/// Options of `illico diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Two reports of --exits-json, or of `illico exits --json`.
    #[arg(value_name = "A B", num_args = 2, conflicts_with = "change", required_unless_present = "change")]
    pub reports: Vec<PathBuf>,

    /// Boot the guest twice, as the options after -- say and with these instead. An option given here replaces the
    /// same one there; blanks separate words. Example: --change '--transport mmio'
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, requires = "boot")]
    pub change: Vec<String>,

    /// Print the comparison as JSON (docs/exits.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Options of `illico boot`. The guest must end by itself; its console goes nowhere.
    #[arg(last = true, value_name = "BOOT OPTIONS", requires = "change")]
    pub boot: Vec<OsString>,
}
