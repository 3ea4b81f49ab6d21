//! Output and files, however the bytes are cut into reads.

use std::io::{self, Read};

use super::{files, output};

const MARKER: &[u8] = b"<<end>>";

/// Gives a few bytes a read.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn output_ends_before_the_marker_and_the_terminal_saw_the_same() {
    for size in 1..20 {
        let mut terminal = Vec::new();
        let all = b"one\n<<en\0two<<end>> of a background process";
        let bytes = output(Pieces(all, size), MARKER, Some(&mut terminal)).expect("there is a marker");
        assert_eq!(bytes, b"one\n<<en\0two", "{size} bytes a read");
        assert_eq!(terminal, bytes, "{size} bytes a read");
    }
}

#[test]
fn output_without_a_marker_is_an_error() {
    let error = output(Pieces(b"one\n", 3), MARKER, None::<Vec<u8>>).expect_err("the lab died");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn files_come_back_by_their_sizes_and_a_missing_one_is_left_out() {
    let paths = ["/a", "/none", "/b"].map(str::to_owned);
    for size in 1..20 {
        let found = files(Pieces(b"5\n1\n2\n3-\n0\n", size), &paths).expect("well formed");
        assert_eq!(found.get("/a").map(Vec::as_slice), Some(&b"1\n2\n3"[..]));
        assert_eq!(found.get("/none"), None);
        assert_eq!(found.get("/b").map(Vec::as_slice), Some(&b""[..]));
    }
}

#[test]
fn a_file_cut_short_is_an_error() {
    files(Pieces(b"5\n123", 3), &["/a".to_owned()]).expect_err("two bytes are missing");
}
