/// So many requests of one session may overtake each other.
const WINDOW: u64 = 64;

/// Which numbers were used: the highest, and those below it within the window.
#[derive(Debug, Default)]
pub(super) struct Window {
    highest: u64,
    /// The bit N stands for the number N below the highest.
    used: u64,
}

impl Window {
    /// Whether this number may still count.
    pub(super) fn is_open(&self, count: u64) -> bool {
        match self.highest.checked_sub(count) {
            _ if count == 0 => false,
            None => true,
            Some(below) => below < WINDOW && self.used & (1 << below) == 0,
        }
    }

    /// Whether this number was not used before; then it is now.
    pub(super) fn take(&mut self, count: u64) -> bool {
        if !self.is_open(count) {
            return false;
        }
        match self.highest.checked_sub(count) {
            Some(below) => self.used |= 1 << below,
            None => {
                let by = count - self.highest;
                self.used = if by < WINDOW { self.used << by } else { 0 } | 1;
                self.highest = count;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once_within_the_window() {
        let mut window = Window::default();
        for (count, expected) in [
            (0, false),
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (66, true),
            (2, false),
            (3, false),
            (4, true),
            (4, false),
            (1_000, true),
            (936, false),
            (937, true),
            (u64::MAX, true),
            (u64::MAX, false),
            (u64::MAX - 63, true),
            (u64::MAX - 64, false),
        ] {
            assert_eq!(window.take(count), expected, "{count}");
        }
    }
}
