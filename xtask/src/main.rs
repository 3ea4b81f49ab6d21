//! What developers run: `cargo xtask lab`, `cargo xtask bench`.
fn main() {}
