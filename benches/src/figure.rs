/// Prints one measured figure as a line of five fields: of which part of the run, whose, at what,
/// what of it, and how much. A figure that is measured in several rounds is printed in each.
pub fn print(part: &str, subject: &str, work: &str, measure: &str, value: f64) {
    println!("{part}\t{subject}\t{work}\t{measure}\t{value}");
}
