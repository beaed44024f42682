/// The largest number that is drawn. More marks would fill the page.
const MOST: u64 = 60;

/// Tally marks in bundles of five at most; `None` for a number too large to draw.
pub fn bundles(number: u64) -> Option<Vec<u64>> {
    (number <= MOST).then(|| (0..number.div_ceil(5)).map(|bundle| (number - bundle * 5).min(5)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bundle_holds_the_rest() {
        assert_eq!(bundles(0), Some(vec![]));
        assert_eq!(bundles(5), Some(vec![5]));
        assert_eq!(bundles(12), Some(vec![5, 5, 2]));
    }

    #[test]
    fn what_is_too_many_is_not_drawn() {
        assert!(bundles(MOST).is_some());
        assert_eq!(bundles(MOST + 1), None);
        assert_eq!(bundles(u64::MAX), None);
    }
}
