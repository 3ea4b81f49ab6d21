//! The KVM interface: the only place that makes its system calls, and the only unsafe code of this crate.
