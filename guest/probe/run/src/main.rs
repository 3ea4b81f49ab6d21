//! `run ELF [COMMAND LINE] [MIB]`: runs a PVH guest on /dev/kvm until it powers off, what it writes to the UART on
//! standard output. Ends with 0 after power-off or reset, else with a status of its own for each way to fail.

use std::process::ExitCode;

use illico_probe_run::machine::{End, run};

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: run ELF [COMMAND LINE] [MIB]");
        return ExitCode::from(USAGE);
    };
    let command_line = arguments.next().unwrap_or_default();
    let mib: usize = arguments.next().and_then(|mib| mib.parse().ok()).unwrap_or(64);
    let ended = std::fs::read(&path).and_then(|file| run(&file, &command_line, mib << 20, &mut std::io::stdout()));
    match ended {
        Ok(End::Off | End::Reset) => ExitCode::SUCCESS,
        Ok(end) => {
            eprintln!("run: {end:?}");
            ExitCode::from(match end {
                End::Panicked => 3,
                End::TripleFault => 4,
                _ => 5,
            })
        }
        Err(error) => {
            eprintln!("run: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
