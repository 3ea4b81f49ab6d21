//! What can be wrong with what the other end sent.

/// The other end does not keep to the protocol. Nothing more can be understood on this connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("the other end does not speak illico's protocol; it began with the bytes {0:02x?}")]
    Stranger([u8; 8]),
    #[error("the other end speaks version {theirs} of the protocol, this one {}", crate::VERSION)]
    Version { theirs: u16 },
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    #[error("frame of kind {kind} with {length} bytes, where {most} are the most")]
    TooLong { kind: u8, length: u32, most: u32 },
    #[error("frame of kind {kind} with {length} bytes, which is not its size")]
    Size { kind: u8, length: usize },
    #[error("frame of kind {kind} with the unknown value {value}")]
    Value { kind: u8, value: u8 },
    #[error("frame of kind {kind} that cannot be read: {reason}")]
    Json { kind: u8, reason: String },
}
