//! No block of a guide is only compiled: a test names it, and so calls what it shows.

use std::fs;
use std::path::Path;

#[test]
fn every_block_is_called() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut tests, mut blocks, mut uncalled) = (Vec::new(), 0, Vec::new());
    read(&root.join("tests/tests/guides"), "rs", &mut tests);
    read(&root.join("tests/adopt/tests"), "rs", &mut tests);
    let mut guides = Vec::new();
    read(&root.join("docs/guides"), "md", &mut guides);
    for (guide, text) in &guides {
        let (guide, shown) = (guide.replace('-', "_"), blocks_of(text));
        blocks += shown.len();
        for (block, code) in &shown {
            let is_called = tests.iter().any(|(_, test)| is_named(test, &guide, block))
                // By a block that has to be called in its turn.
                || shown.iter().any(|(other, code)| other != block && is_named(code, "super", block))
                // It consists of tests, which run as they are shown.
                || ["#[test]", "#[tokio::test"].iter().any(|test| code.contains(test));
            if !is_called {
                uncalled.push(format!("{guide}::{block}"));
            }
        }
    }
    assert!(blocks > 60, "only {blocks} blocks");
    assert!(uncalled.is_empty(), "call these in tests/tests/guides: {uncalled:?}");
}

/// Name and code of each block that `build.rs` makes a module of.
fn blocks_of(guide: &str) -> Vec<(&str, &str)> {
    let blocks = guide.split("\n```rust,").skip(1).filter_map(|rest| {
        let (words, rest) = rest.split_once('\n')?;
        let name = words.split(',').find(|word| *word != "ignore" && !word.contains('='))?;
        Some((name, rest.split("\n```").next()?))
    });
    blocks.collect()
}

/// Whether it has `module::block`, or the block in a list such as `module::{block, other}`.
fn is_named(code: &str, module: &str, block: &str) -> bool {
    fn first_word(text: &str) -> &str {
        text.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    }
    code.split(&format!("{module}::")).skip(1).any(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().is_some_and(|list| list.split(',').any(|name| first_word(name) == block)),
        None => first_word(rest) == block,
    })
}

/// Name, without its ending, and text of each file with this ending.
fn read(folder: &Path, ending: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, ending, files);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}
