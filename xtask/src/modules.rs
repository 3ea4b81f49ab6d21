//! Kernel modules: which ones a set of names needs, and in which order they load.
//!
//! Reads `modules.dep` and `modules.builtin` as depmod(8) writes them. Follows hard dependencies only: soft
//! dependencies are hints to modprobe, and whoever loads modules one by one names what they want.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// A folder `lib/modules/<release>`.
#[derive(Debug, Clone)]
pub struct Tree {
    folder: PathBuf,
    /// Name to path in the tree and the names that must be loaded before.
    modules: BTreeMap<String, (PathBuf, Vec<String>)>,
    builtin: BTreeSet<String>,
}

impl Tree {
    pub fn open(folder: &Path) -> Result<Tree, Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(Error::file("read", &path))
        };
        Ok(Tree::parse(folder, &read("modules.dep")?, &read("modules.builtin")?))
    }

    fn parse(folder: &Path, dependencies: &str, builtin: &str) -> Tree {
        let modules = dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| {
                (name_of(path), (PathBuf::from(path), needs.split_whitespace().map(name_of).collect()))
            })
            .collect();
        Tree { folder: folder.to_owned(), modules, builtin: builtin.lines().map(name_of).collect() }
    }

    /// The files of these modules and of all they depend on, each once, dependencies first. What the kernel has
    /// built in is left out.
    pub fn load_order<I>(&self, names: I) -> Result<Vec<PathBuf>, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            self.visit(&name_of(name.as_ref()), &mut seen, &mut order)?;
        }
        Ok(order)
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<PathBuf>) -> Result<(), Error> {
        if self.builtin.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let no_module = || Error::NoModule { name: name.to_owned(), tree: self.folder.clone() };
        let (path, needs) = self.modules.get(name).ok_or_else(no_module)?;
        for need in needs {
            self.visit(need, seen, order)?;
        }
        order.push(self.folder.join(path));
        Ok(())
    }
}

/// `kernel/arch/x86/kvm/kvm-amd.ko.xz` is the module kvm_amd: the kernel knows no dashes.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
    stem.replace('-', "_")
}

#[cfg(test)]
#[path = "modules_test.rs"]
mod tests;
