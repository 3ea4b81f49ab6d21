//! How much standard input may be under way.

/// The most bytes of standard input that the agent has to hold for a command that does not read them.
pub const STDIN_WINDOW: u32 = 256 << 10;

/// The account of one command's standard input, at either end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StdinWindow {
    under_way: u32,
}

impl StdinWindow {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes may be sent now.
    pub fn room(&self) -> usize {
        STDIN_WINDOW.saturating_sub(self.under_way) as usize
    }

    /// So many bytes were sent, or came in. False if the window does not hold them.
    pub fn sent(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.under_way = self.under_way.saturating_add(bytes as u32);
        }
        fits
    }

    /// So many bytes were taken. False if there were not so many under way.
    pub fn taken(&mut self, bytes: u32) -> bool {
        let left = self.under_way.checked_sub(bytes);
        self.under_way = left.unwrap_or(self.under_way);
        left.is_some()
    }
}

#[cfg(test)]
#[path = "window_test.rs"]
mod tests;
