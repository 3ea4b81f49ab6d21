//! The monitor's own program as memory: what its start touched can be given back once a guest runs.
//!
//! Text and constants are pages of the program's file, mapped where they are touched and 64 KiB around. Reading options,
//! looking at the host and building a machine touch 2 MiB of them, and what serves a running guest is a tenth of
//! that. Only the main program is looked at: the C library's pages are shared with every other process anyway.

use std::ffi::c_void;
use std::ptr;

/// Takes the program's text and constants out of this process's memory. What is needed again is mapped again when it is
/// touched, from the page cache, which keeps it for as long as the host has room.
pub fn give_back_program() {
    // SAFETY: the callback has the signature that is asked for, and uses what it is given only while it is called.
    unsafe { libc::dl_iterate_phdr(Some(give_back_first), ptr::null_mut()) };
}

/// Called for the main program first, and ends the walk there.
unsafe extern "C" fn give_back_first(object: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> libc::c_int {
    // SAFETY: the loader passes a description that is valid during the call.
    let object = unsafe { &*object };
    // SAFETY: the program's headers are mapped for as long as it runs, and the loader counted them.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    // Segments that can be written hold what exists nowhere else, relocated pointers among it, even where they are
    // read-only by now.
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0) {
        let page = PAGE - 1;
        let start = (object.dlpi_addr + header.p_vaddr) & !page;
        let len = object.dlpi_addr + header.p_vaddr + header.p_memsz - start;
        // SAFETY: the range is one segment of this program, mapped privately from its file and never written, so every
        // page of it that is discarded reads the same again. A refusal leaves all as it was.
        unsafe { libc::madvise(ptr::with_exposed_provenance_mut(start as usize), len as usize, libc::MADV_DONTNEED) };
    }
    1
}

/// Of x86-64.
const PAGE: u64 = 4096;

#[cfg(test)]
#[path = "program_test.rs"]
mod tests;
