/// Changes with every save of a record: a writer compares it to see whether another writer was faster.
///
/// The upper 32 bits count the saves. The lower 32 bits mark one write attempt, so that a writer whose connection
/// broke can find out whether its attempt took effect; they are 0 for stores that never wait. A version fits a
/// signed 64-bit integer for 2^31 saves of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version after this one, with the mark of the attempt to write it.
    pub(crate) fn next(self, mark: u32) -> Version {
        Version(((self.0 >> 32) + 1) << 32 | u64::from(mark))
    }

    pub(crate) fn first(mark: u32) -> Version {
        Version(0).next(mark)
    }

    /// How many times the record was saved.
    pub const fn count(self) -> u64 {
        self.0 >> 32
    }

    /// The version as a number, for a store to write.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Makes a version of the number that a store has read.
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
