use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What a run measured: of each figure the values of all rounds, in their order.
pub struct Figures(BTreeMap<[String; 4], Vec<f64>>);

impl Figures {
    /// Reads the lines of all `.tsv` files in a directory.
    pub fn read(directory: &Path) -> Self {
        let mut figures: BTreeMap<[String; 4], Vec<f64>> = BTreeMap::new();
        let entries = fs::read_dir(directory).expect("the run has left its figures there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "tsv")) {
            for line in fs::read_to_string(path).expect("it is text").lines() {
                let fields: Vec<&str> = line.split('\t').collect();
                let [part, subject, work, measure, value] = fields[..] else { panic!("not a figure: {line}") };
                let name = [part, subject, work, measure].map(str::to_owned);
                figures.entry(name).or_default().push(value.parse().expect("a number"));
            }
        }
        Figures(figures)
    }

    /// All rounds of a figure; empty if it was not measured.
    pub fn rounds(&self, part: &str, subject: &str, work: &str, measure: &str) -> &[f64] {
        self.0.get(&[part, subject, work, measure].map(str::to_owned)).map_or(&[], Vec::as_slice)
    }

    pub fn median(&self, part: &str, subject: &str, work: &str, measure: &str) -> Option<f64> {
        median(self.rounds(part, subject, work, measure).to_vec())
    }

    /// The median of what `compare` makes of two subjects in the same round.
    pub fn paired(
        &self,
        [part, work, measure]: [&str; 3],
        subjects: [&str; 2],
        compare: impl Fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let [left, right] = subjects.map(|subject| self.rounds(part, subject, work, measure));
        median(left.iter().zip(right).map(|(left, right)| compare(*left, *right)).collect())
    }

    /// The measures of a part and subject, at whatever work, with their medians.
    pub fn of<'a>(&'a self, part: &'a str, subject: &'a str) -> impl Iterator<Item = (&'a str, &'a str, f64)> {
        self.0.iter().filter_map(move |([of_part, of_subject, work, measure], values)| {
            let median = median(values.clone())?;
            (of_part == part && of_subject == subject).then_some((work.as_str(), measure.as_str(), median))
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
