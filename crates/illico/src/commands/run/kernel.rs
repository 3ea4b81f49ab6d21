//! The guest's kernel.
use crate::commands::{Failure, boot};
use illico_protocol::RunSpec;
use std::fs::File;
use std::path::PathBuf;
#[derive(Debug)]
pub struct Kernel(pub PathBuf);
impl Kernel {
    pub fn choose(options: &crate::cli::Run) -> Result<Self, Failure> {
        Ok(Self(options.kernel.clone().unwrap_or_default()))
    }
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
    pub fn maps(&self) -> bool {
        true
    }
    pub fn open(&self) -> Result<File, Failure> {
        boot::open("--kernel", &self.0)
    }
    pub fn initramfs(&self, spec: &RunSpec) -> Result<Vec<u8>, Failure> {
        Ok(spec.to_json()?)
    }
}
