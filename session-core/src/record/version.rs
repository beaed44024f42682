/// Tells one saved state of a record from another.
///
/// The upper half counts saves; the lower half is a mark of the attempt that made it, by which
/// a writer whose connection broke finds out whether its save took effect. A store that never waits
/// leaves no save in doubt, and the mark is 0. It fits a signed 64-bit integer for two thousand million
/// saves of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version that follows, with the mark of the attempt to write it.
    pub(crate) fn next(self, mark: u32) -> Version {
        Version(((self.0 >> 32) + 1) << 32 | u64::from(mark))
    }

    pub(crate) fn first(mark: u32) -> Version {
        Version(0).next(mark)
    }

    /// How many times the record was written.
    pub const fn count(self) -> u64 {
        self.0 >> 32
    }

    /// The number to write.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number that a store read back.
    pub const fn from_number(number: u64) -> Version {
        Version(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_later_than_the_last() {
        let first = Version::first(u32::MAX);
        assert!(first.next(0) > first);
        assert_eq!(first.next(0).count(), 2);
    }
}
