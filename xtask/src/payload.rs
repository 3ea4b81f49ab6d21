//! The compressed kernel inside a bzImage, unpacked by the `zstd` and `lz4` programs.
//!
//! Documentation/arch/x86/boot.rst: `payload_offset` and `payload_length` (protocol 2.08) locate it relative to the
//! protected-mode code; the last four bytes of the payload are the unpacked size. The monitor has an unpacker of its
//! own; this one shares nothing with it, so that each can be compared with the other.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::Error;

const SETUP_SECTORS: usize = 0x1f1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The ELF file in a bzImage.
pub fn unpack(image: &[u8]) -> Result<Vec<u8>, Error> {
    let bad = |what: &str| Error::Kernel(format!("this is not a bzImage of Debian's: {what}"));
    let payload = payload(image).ok_or_else(|| bad("its payload lies outside of the file"))?;
    let (compressed, size) = payload.split_last_chunk::<4>().ok_or_else(|| bad("its payload is empty"))?;
    let size = u32::from_le_bytes(*size) as usize;
    let program = match compressed.get(..4) {
        Some([0x28, 0xb5, 0x2f, 0xfd]) => "zstd",
        Some([0x02, 0x21, 0x4c, 0x18]) => "lz4",
        _ => return Err(bad("its payload is neither zstd nor lz4")),
    };
    let elf = decompress(program, compressed)?;
    if elf.len() != size {
        return Err(bad(&format!("{} bytes came out of its payload instead of {size}", elf.len())));
    }
    Ok(elf)
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let field = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?) as usize);
    // A count of 0 means 4, for kernels of long ago.
    let sectors = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512 + field(PAYLOAD_OFFSET)?;
    image.get(start..start.checked_add(field(PAYLOAD_LENGTH)?)?)
}

fn decompress(program: &str, compressed: &[u8]) -> Result<Vec<u8>, Error> {
    let command = format!("{program} -d -c");
    let start = |source| Error::Start { command: command.clone(), source };
    let mut child = Command::new(program)
        .args(["-d", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(start)?;
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    let mut unpacked = Vec::new();
    thread::scope(|scope| {
        // A program that stops reading says why by its status.
        scope.spawn(move || input.take().map(|mut input| input.write_all(compressed)));
        output.map(|mut output| output.read_to_end(&mut unpacked)).transpose()
    })
    .map_err(start)?;
    let status = child.wait().map_err(start)?;
    if !status.success() {
        return Err(Error::Failed { command, status, stderr: String::new() });
    }
    Ok(unpacked)
}

#[cfg(test)]
#[path = "payload_test.rs"]
mod tests;
