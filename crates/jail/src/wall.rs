//! Walls as data: what there is to raise, and what is up.

use std::fmt;

/// One kind of right that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wall {
    /// No program that is executed gains rights (`no_new_privs`).
    NoNewPrivs,
    /// No core dump, no ptrace by the user's other programs.
    NotDumpable,
    /// Limits of the process: no core file, no more descriptors than now.
    Limits,
    /// No capability.
    Capabilities,
    /// System calls by role.
    Seccomp,
    /// Paths by role.
    Landlock,
    /// A user namespace of its own.
    User,
    /// A tree of mounts of its own, and an empty root.
    Mount,
    /// A network namespace without an interface.
    Network,
    /// System V IPC and message queues of its own.
    Ipc,
    /// A host name of its own.
    Uts,
    /// A cgroup root of its own.
    Cgroup,
}

impl Wall {
    /// All of them, in the order of `Walls`' text.
    pub const ALL: [Self; 12] = [
        Self::NoNewPrivs,
        Self::NotDumpable,
        Self::Limits,
        Self::Capabilities,
        Self::Seccomp,
        Self::Landlock,
        Self::User,
        Self::Mount,
        Self::Network,
        Self::Ipc,
        Self::Uts,
        Self::Cgroup,
    ];

    /// Its name in messages and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoNewPrivs => "no_new_privs",
            Self::NotDumpable => "not-dumpable",
            Self::Limits => "limits",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::User => "user",
            Self::Mount => "mount",
            Self::Network => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of walls.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Walls(u16);

impl Walls {
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, wall: Wall) -> Self {
        Self(self.0 | 1 << wall as u16)
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, wall: Wall) -> Self {
        Self(self.0 & !(1 << wall as u16))
    }

    /// Whether one is among them.
    pub const fn has(self, wall: Wall) -> bool {
        self.0 & (1 << wall as u16) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Wall> {
        Wall::ALL.into_iter().filter(move |&wall| self.has(wall))
    }
}

impl FromIterator<Wall> for Walls {
    fn from_iter<I: IntoIterator<Item = Wall>>(walls: I) -> Self {
        walls.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Walls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Wall::name).collect();
        f.write_str(&names.join(" "))
    }
}

impl fmt::Debug for Walls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Walls({self})")
    }
}
