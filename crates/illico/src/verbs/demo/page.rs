//! The file of `--html`: tried before anything is measured, written at the end, so that whatever ends the demo before
//! leaves things as they were.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file that can be written.
#[derive(Debug)]
pub struct Page(PathBuf);

impl Page {
    /// Tries it. What a file holds stays.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let is_new = std::fs::symlink_metadata(path).is_err();
        let tried = File::options().write(true).create(true).truncate(false).open(path);
        tried.map_err(|error| failure("create", path, &error, "name a file in a folder that exists"))?;
        if is_new {
            std::fs::remove_file(path).map_err(|error| failure("try", path, &error, "name another file"))?;
        }
        Ok(Self(path.to_owned()))
    }

    /// Writes its content.
    pub fn fill(&self, text: &str) -> Result<(), Failure> {
        std::fs::write(&self.0, text).map_err(|error| failure("write", &self.0, &error, "look whether there is room"))
    }
}

fn failure(attempt: &str, path: &Path, error: &io::Error, fix: &str) -> Failure {
    format!("--html: cannot {attempt} {}: {error}; {fix}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use std::fs::{read_to_string, write};

    use super::*;

    #[test]
    fn a_page_that_is_not_filled_leaves_things_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.html"), folder.path().join("new.html"));
        write(&old, "what was there").unwrap();
        for path in [&old, &new] {
            drop(Page::open(path).unwrap());
        }
        assert_eq!(read_to_string(&old).unwrap(), "what was there");
        assert!(!new.exists());
    }

    #[test]
    fn a_page_that_is_filled_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        for text in ["a long text", "short"] {
            Page::open(&path).unwrap().fill(text).unwrap();
            assert_eq!(read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_is_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let error = Page::open(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("--html: cannot create ") && error.lines().count() == 1, "{error}");
    }
}
