//! Kernel modules: which ones a set of names needs, in which order they load, and what is in their files.
//!
//! Reads `modules.dep`, `modules.builtin` and `modules.softdep` as depmod(8) writes them. A tree that no depmod has seen,
//! as a package leaves it, has only `modules.order`: then each module's own `.modinfo` says what it needs.
//! Of soft dependencies those that come before are followed, if they are modules themselves: other names are ways for a
//! running kernel to look for what is faster.

mod modinfo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::compress::unpacked;

/// A module is a few MiB at most; what unpacks to more is none.
const MAX_BYTES: u64 = 64 << 20;
/// Endings of module files. The kernel is given what is in them.
const ENDINGS: [&str; 4] = ["", ".xz", ".zst", ".gz"];

/// Why there is no load order.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no kernel modules: it has neither modules.dep nor modules.order", .0.display())]
    NoModules(PathBuf),
    #[error("no module named {name} in {}", tree.display())]
    NoModule { name: String, tree: PathBuf },
}

/// A folder `lib/modules/<release>`.
#[derive(Debug, Clone)]
pub struct Tree {
    folder: PathBuf,
    /// Name to path in the tree and the names that must be loaded before, if that is known.
    modules: BTreeMap<String, (PathBuf, Option<Vec<String>>)>,
    builtin: BTreeSet<String>,
    before: BTreeMap<String, Vec<String>>,
}

impl Tree {
    pub fn open(folder: &Path) -> Result<Tree, ModulesError> {
        let read = |name: &str| {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(ModulesError::Read { path, source }),
            }
        };
        let builtin = read("modules.builtin")?.unwrap_or_default();
        let soft = read("modules.softdep")?.unwrap_or_default();
        match (read("modules.dep")?, read("modules.order")?) {
            (Some(dependencies), _) => Ok(Self::parse(folder, &dependencies, &builtin, &soft)),
            (None, Some(order)) => Ok(Self::in_order(folder, &order, &builtin)),
            (None, None) => Err(ModulesError::NoModules(folder.to_owned())),
        }
    }

    fn parse(folder: &Path, dependencies: &str, builtin: &str, soft: &str) -> Tree {
        let modules = dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| {
                (name_of(path), (PathBuf::from(path), Some(needs.split_whitespace().map(name_of).collect())))
            })
            .collect();
        let before = soft.lines().filter_map(|line| soft_dependency(line.strip_prefix("softdep ")?)).collect();
        Tree { folder: folder.to_owned(), modules, builtin: builtin.lines().map(name_of).collect(), before }
    }

    fn in_order(folder: &Path, order: &str, builtin: &str) -> Tree {
        let modules = order.lines().map(|path| (name_of(path), (PathBuf::from(path), None))).collect();
        let builtin = builtin.lines().map(name_of).collect();
        Tree { folder: folder.to_owned(), modules, builtin, before: BTreeMap::new() }
    }

    /// Whether the kernel has this built in, or as a module.
    pub fn has(&self, name: &str) -> bool {
        let name = name_of(name);
        self.builtin.contains(&name) || self.modules.contains_key(&name)
    }

    /// The files of these modules and of all they depend on, each once, dependencies first. What the kernel has
    /// built in is left out.
    pub fn load_order<I>(&self, names: I) -> Result<Vec<PathBuf>, ModulesError>
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

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<PathBuf>) -> Result<(), ModulesError> {
        if self.builtin.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let no_module = || ModulesError::NoModule { name: name.to_owned(), tree: self.folder.clone() };
        let (path, needs) = self.modules.get(name).ok_or_else(no_module)?;
        for first in self.before.get(name).into_iter().flatten().filter(|first| self.modules.contains_key(*first)) {
            self.visit(first, seen, order)?;
        }
        let path = self.folder.join(path);
        match needs {
            Some(needs) => {
                for need in needs {
                    self.visit(need, seen, order)?;
                }
                order.push(path);
            }
            None => {
                let path = with_ending(&path).ok_or_else(no_module)?;
                for need in modinfo::depends(&content(&path)?) {
                    self.visit(&name_of(&need), seen, order)?;
                }
                order.push(path);
            }
        }
        Ok(())
    }
}

/// A module as the kernel takes it: unpacked.
pub fn content(path: &Path) -> Result<Vec<u8>, ModulesError> {
    let failed = |source| ModulesError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    unpacked(file).and_then(|reader| reader.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// `modules.order` names modules as they were built. The file in the tree may be packed.
fn with_ending(path: &Path) -> Option<PathBuf> {
    ENDINGS.iter().map(|ending| PathBuf::from(format!("{}{ending}", path.display()))).find(|path| path.is_file())
}

/// `NAME pre: A B post: C`: that A and B come before.
fn soft_dependency(line: &str) -> Option<(String, Vec<String>)> {
    let (name, rest) = line.split_once(' ')?;
    let before = rest.split("pre:").nth(1)?.split("post:").next()?;
    Some((name_of(name), before.split_whitespace().map(name_of).collect()))
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
