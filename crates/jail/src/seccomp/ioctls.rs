//! Requests of ioctl(2) by role, as `include/uapi/linux/{kvm,if_tun,fs}.h` and asm-generic/ioctls.h number them.

/// The number of a request: its second argument.
pub type Request = u32;

const KVM_GET_STATS_FD: Request = 0xaece;
const KVM_GET_CLOCK: Request = 0x8030_ae7c;
const KVM_SET_USER_MEMORY_REGION: Request = 0x4020_ae46;
const KVM_SET_GSI_ROUTING: Request = 0x4008_ae6a;
const KVM_IRQFD: Request = 0x4020_ae76;
const KVM_IOEVENTFD: Request = 0x4040_ae79;
const KVM_RUN: Request = 0xae80;
const KVM_GET_REGS: Request = 0x8090_ae81;
const KVM_GET_SREGS: Request = 0x8138_ae83;
const KVM_KVMCLOCK_CTRL: Request = 0xaead;
const TUNSETOFFLOAD: Request = 0x4004_54d0;
const TUNSETVNETHDRSZ: Request = 0x4004_54d8;
const TUNSETQUEUE: Request = 0x4004_54d9;
const BLKDISCARD: Request = 0x1277;
const FIONBIO: Request = 0x5421;
const TCGETS: Request = 0x5401;
const TCSETS: Request = 0x5402;
const TCSETSW: Request = 0x5403;
const TCSETSF: Request = 0x5404;
const TIOCGWINSZ: Request = 0x5413;
const TCGETS2: Request = 0x802c_542a;
const TCSETS2: Request = 0x402c_542b;
const TCSETSW2: Request = 0x402c_542c;
const TCSETSF2: Request = 0x402c_542d;

/// A vCPU: the guest, and what its writes to registers change.
pub const VCPU: &[Request] = &[
    KVM_RUN,
    KVM_IRQFD,
    KVM_IOEVENTFD,
    KVM_SET_GSI_ROUTING,
    KVM_SET_USER_MEMORY_REGION,
    // Registers of a guest that cannot go on.
    KVM_GET_REGS,
    KVM_GET_SREGS,
    // A guest that was not run for long is told so.
    KVM_KVMCLOCK_CTRL,
    // A driver accepts the features of a card on a tap.
    TUNSETOFFLOAD,
    TUNSETVNETHDRSZ,
    TUNSETQUEUE,
];

/// A loop of devices.
pub const LOOP: &[Request] = &[KVM_IRQFD, TUNSETOFFLOAD, TUNSETVNETHDRSZ, TUNSETQUEUE, BLKDISCARD, FIONBIO, TIOCGWINSZ];

/// A thread that waits for signals, a time, or the next sample of a timeline; and the control loop, with what comes after
/// it. Either gives the terminal back.
pub const WATCH: &[Request] = &[
    TIOCGWINSZ,
    FIONBIO,
    KVM_GET_CLOCK,
    KVM_GET_STATS_FD,
    TCGETS,
    TCSETS,
    TCSETSW,
    TCSETSF,
    TCGETS2,
    TCSETS2,
    TCSETSW2,
    TCSETSF2,
];
