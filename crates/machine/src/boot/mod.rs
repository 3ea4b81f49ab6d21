//! From the bytes of a kernel image to guest memory that a vCPU can be entered at.
