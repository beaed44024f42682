//! Makes a module of each block of Rust in `docs/guides`, so that tests compile and run what the guides show.
//!
//! A block begins with ```` ```rust,login ````: `login` names its module. ```` ```rust,open,feature=sqlite ````
//! needs that feature of this crate. A guide without such names shows the parts of an example.
//!
//! `crate=adopt-tests` in a block says that the code of this guide is for another crate, which has this file too.

use std::path::Path;
use std::{env, fs};

fn main() {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("docs/guides"));
    let folder = above.find(|folder| folder.is_dir()).expect("there are guides");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut guides: Vec<_> =
        fs::read_dir(&folder).expect("there are guides").map(|entry| entry.unwrap().path()).collect();
    guides.sort();
    let code: String = guides.iter().map(|guide| module_of(guide)).collect();
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    fs::write(Path::new(&out).join("guides.rs"), code).expect("the module can be written");
}

fn module_of(guide: &Path) -> String {
    let text = fs::read_to_string(guide).expect("a guide is text");
    let name = guide.file_stem().unwrap().to_str().unwrap().replace('-', "_");
    let (named, nameless): (Vec<Block>, Vec<Block>) = blocks(&text).into_iter().partition(|block| block.name.is_some());
    let owner = named.iter().find_map(|block| block.owner).unwrap_or("workspace-tests");
    if named.is_empty() || owner != env!("CARGO_PKG_NAME") {
        return String::new();
    }
    assert!(nameless.is_empty(), "{}: each block needs a name, as in ```rust,login", guide.display());
    let blocks: String = named.iter().map(Block::module).collect();
    format!("pub mod {name} {{\n{blocks}}}\n")
}

struct Block<'a> {
    name: Option<&'a str>,
    feature: Option<&'a str>,
    /// The crate that it is for.
    owner: Option<&'a str>,
    code: String,
}

impl Block<'_> {
    fn module(&self) -> String {
        let feature = self.feature.map(|feature| format!("#[cfg(feature = {feature:?})]\n")).unwrap_or_default();
        format!("{feature}pub mod {} {{\n{}}}\n", self.name.expect("it has a name"), self.code)
    }
}

/// The blocks of Rust in a guide.
fn blocks(guide: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut lines) = (Vec::new(), guide.lines());
    while let Some(line) = lines.next() {
        let Some(words) = line.strip_prefix("```rust") else { continue };
        let words = || words.split(',').filter(|word| !word.is_empty());
        let feature = words().find_map(|word| word.strip_prefix("feature="));
        let owner = words().find_map(|word| word.strip_prefix("crate="));
        let name = words().find(|word| *word != "ignore" && !word.contains('='));
        let code = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        blocks.push(Block { name, feature, owner, code });
    }
    blocks
}
