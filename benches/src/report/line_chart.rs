use crate::svg::{LINES, Svg, WIDTH};

/// Lines over sizes; both scales are logarithmic.
pub struct LineChart<'a> {
    pub title: &'a str,
    pub format_x: fn(f64) -> String,
    pub format_y: fn(f64) -> String,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub label: String,
    pub is_ours: bool,
    pub points: Vec<[f64; 2]>,
}

const LEFT: f64 = 70.0;
const RIGHT: f64 = 220.0;
const TOP: f64 = 50.0;
const HEIGHT: f64 = 400.0;
const BOTTOM: f64 = 40.0;

struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64> + Clone, [start, end]: [f64; 2]) -> Option<Self> {
        let from = values.clone().reduce(f64::min)?;
        Some(Scale { from: from.ln(), to: values.reduce(f64::max)?.ln(), start, end })
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.ln() - self.from) / (self.to - self.from).max(f64::EPSILON);
        self.start + part * (self.end - self.start)
    }

    /// Powers of ten, and their double and fivefold.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (from, to) = (self.from.exp() * 0.999, self.to.exp() * 1.001);
        let values = (-3..10).flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power)));
        values.filter(move |value| (from..=to).contains(value))
    }
}

impl LineChart<'_> {
    /// `None` if there is nothing to show.
    pub fn draw(&self) -> Option<String> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let across = Scale::new(points.clone().map(|[x, _]| *x), [LEFT, WIDTH - RIGHT])?;
        let up = Scale::new(points.clone().map(|[_, y]| *y), [HEIGHT - BOTTOM, TOP])?;
        let mut svg = Svg::new(HEIGHT, self.title);
        for tick in up.ticks() {
            let y = up.place(tick);
            svg.line(&[[LEFT, y], [WIDTH - RIGHT, y]], "#eaeef2", 1.0);
            svg.text([LEFT - 8.0, y + 4.0], "end", 12, "#57606a", &(self.format_y)(tick));
        }
        let mut sizes: Vec<f64> = points.map(|[x, _]| *x).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        for size in sizes {
            svg.text([across.place(size), HEIGHT - BOTTOM + 22.0], "middle", 12, "#57606a", &(self.format_x)(size));
        }
        self.draw_lines(&mut svg, &across, &up);
        Some(svg.finish())
    }

    fn draw_lines(&self, svg: &mut Svg, across: &Scale, up: &Scale) {
        let mut ends = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let points: Vec<[f64; 2]> = line.points.iter().map(|[x, y]| [across.place(*x), up.place(*y)]).collect();
            let colour = LINES[n % LINES.len()];
            svg.line(&points, colour, if line.is_ours { 3.0 } else { 1.8 });
            points.iter().for_each(|point| svg.dot(*point, colour));
            if let Some([_, y]) = points.last() {
                ends.push((*y, &line.label, colour));
            }
        }
        ends.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut free_from = 0.0;
        for (y, label, colour) in ends {
            let y = f64::max(y, free_from);
            svg.text([WIDTH - RIGHT + 12.0, y + 4.0], "start", 12, colour, label);
            free_from = y + 16.0;
        }
    }
}
