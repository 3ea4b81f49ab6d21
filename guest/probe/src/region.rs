//! Device registers at a physical address: volatile accesses of exactly the width of the type. Nothing is checked
//! against a device's size, since wild accesses are a purpose of this program; the page tables are the limit.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Region(pub(crate) usize);

impl Region {
    pub(crate) fn read<T: Copy>(self, offset: usize) -> T {
        // SAFETY: identity mapped, and only ever used with integers, for which every bit pattern is a value. What is
        // read there is a device or unused memory, which no Rust object occupies.
        unsafe { ((self.0 + offset) as *const T).read_volatile() }
    }

    pub(crate) fn write<T: Copy>(self, offset: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { ((self.0 + offset) as *mut T).write_volatile(value) };
    }

    pub(crate) fn at(self, offset: usize) -> Self {
        Self(self.0 + offset)
    }
}
