//! The few shapes that charts are made of.

pub const WIDTH: f64 = 820.0;
/// Ours, then others in their order.
pub const HIGHLIGHT: [&str; 2] = ["#1f6feb", "#9cc2ff"];
pub const MUTED: [&str; 2] = ["#6e7781", "#c3c9d0"];
pub const LINES: [&str; 6] = ["#8c959f", "#57606a", "#1f6feb", "#cf222e", "#bf8700", "#8250df"];

pub struct Svg {
    height: f64,
    body: String,
}

impl Svg {
    pub fn new(height: f64, title: &str) -> Self {
        let mut svg = Svg { height, body: String::new() };
        svg.rectangle([0.0, 0.0], [WIDTH, height], "#ffffff");
        svg.text([16.0, 26.0], "start", 15, "#1f2328", title);
        svg
    }

    pub fn rectangle(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], fill: &str) {
        let shape = format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#);
        self.body.push_str(&shape);
        self.body.push('\n');
    }

    pub fn text(&mut self, [x, y]: [f64; 2], anchor: &str, size: u32, fill: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.body.push_str(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{text}</text>"#
        ));
        self.body.push('\n');
    }

    pub fn line(&mut self, points: &[[f64; 2]], stroke: &str, width: f64) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.body.push_str(&format!(
            r#"<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="{width}"/>"#
        ));
        self.body.push('\n');
    }

    pub fn dot(&mut self, [x, y]: [f64; 2], fill: &str) {
        self.body.push_str(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{fill}"/>"#));
        self.body.push('\n');
    }

    pub fn finish(self) -> String {
        let Svg { height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui, sans-serif\">\n{body}</svg>\n"
        )
    }
}
