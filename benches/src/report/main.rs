//! Makes RESULTS.md and its charts of the figures that the parts of a run printed.

mod bar_chart;
mod bars;
mod contention;
mod device_bound;
mod expiry;
mod figures;
mod flood;
mod http;
mod in_process;
mod line_chart;
mod lost_updates;
mod page;
mod servers;
mod stores;
mod subjects;
mod svg;

use std::fs;
use std::path::PathBuf;

use clap::Parser;

use crate::figures::Figures;
use crate::page::Page;

#[derive(Parser)]
struct Options {
    /// Where the parts of a run left their lines, and `about.md`.
    figures: PathBuf,
    /// Where RESULTS.md and charts/ go.
    output: PathBuf,
}

fn main() {
    let options = Options::parse();
    let figures = Figures::read(&options.figures);
    let about = fs::read_to_string(options.figures.join("about.md")).expect("the run says what it ran on");
    let mut page = Page::new(&options.output);
    page.text("# Measured beside other libraries");
    page.text(
        "Times are medians of all rounds of one run, in which everything takes its turn. On another machine, and \
         at another time on the same, they differ; ratios, allocations and instructions hardly do.",
    );
    page.text(about.trim());
    bars::write(&mut page, &figures);
    in_process::write(&mut page, &figures);
    device_bound::write(&mut page, &figures);
    http::write(&mut page, &figures);
    stores::write(&mut page, &figures);
    servers::write(&mut page, &figures);
    contention::write(&mut page, &figures);
    expiry::write(&mut page, &figures);
    flood::write(&mut page, &figures);
    lost_updates::write(&mut page, &figures);
    page.save();
}
