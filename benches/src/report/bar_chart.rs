use crate::svg::{HIGHLIGHT, MUTED, Svg, WIDTH};

/// Horizontal bars, one or two for each subject.
pub struct BarChart<'a> {
    pub title: &'a str,
    /// What the bars of each subject are.
    pub series: &'a [&'a str],
    /// For values that differ by orders of magnitude: where the scale begins.
    pub logarithmic_from: Option<f64>,
    pub format: fn(f64) -> String,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub label: String,
    pub is_ours: bool,
    pub values: Vec<f64>,
}

const LEFT: f64 = 290.0;
const RIGHT: f64 = 90.0;
const BAR: f64 = 15.0;
const GAP: f64 = 11.0;
const TOP: f64 = 44.0;

impl BarChart<'_> {
    /// `None` if there is nothing to show.
    pub fn draw(&self) -> Option<String> {
        let most = self.rows.iter().flat_map(|row| &row.values).copied().reduce(f64::max)?;
        let of_row = BAR * self.series.len() as f64 + GAP;
        let legend = if self.series.len() > 1 { 26.0 } else { 0.0 };
        let top = TOP + legend;
        let mut svg = Svg::new(top + of_row * self.rows.len() as f64 + 12.0, self.title);
        if legend > 0.0 {
            self.draw_legend(&mut svg);
        }
        for (n, row) in self.rows.iter().enumerate() {
            let y = top + of_row * n as f64;
            let colours = if row.is_ours { HIGHLIGHT } else { MUTED };
            let middle = y + (of_row - GAP) / 2.0 + 5.0;
            svg.text([LEFT - 10.0, middle], "end", 13, "#1f2328", &row.label);
            for (m, value) in row.values.iter().enumerate() {
                let y = y + BAR * m as f64;
                let width = self.part(*value, most) * (WIDTH - LEFT - RIGHT);
                svg.rectangle([LEFT, y], [width.max(1.0), BAR - 2.0], colours[m]);
                svg.text([LEFT + width.max(1.0) + 6.0, y + 11.0], "start", 12, "#57606a", &(self.format)(*value));
            }
        }
        Some(svg.finish())
    }

    fn draw_legend(&self, svg: &mut Svg) {
        for (n, name) in self.series.iter().enumerate() {
            let x = LEFT + 180.0 * n as f64;
            svg.rectangle([x, TOP - 4.0], [12.0, 12.0], MUTED[n]);
            svg.text([x + 18.0, TOP + 6.0], "start", 12, "#57606a", name);
        }
    }

    fn part(&self, value: f64, most: f64) -> f64 {
        match self.logarithmic_from {
            Some(least) => (value / least).max(1.0).ln() / (most / least).ln(),
            None => value.max(0.0) / most,
        }
    }
}
