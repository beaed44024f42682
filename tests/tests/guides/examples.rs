//! Guides that show parts of an example. The example has tests of its own, so the guide is right if it shows what is there.

use std::fs;
use std::path::Path;

#[test]
fn the_guide_to_own_stores_shows_its_example() {
    shows_parts_of("own-store.md", "session-core/examples", 6);
}

/// P76.
#[test]
fn the_guide_to_a_first_login_shows_its_example() {
    shows_parts_of("first-login.md", "examples/login", 8);
}

/// P76.
#[test]
fn the_guide_to_single_page_applications_shows_its_example() {
    shows_parts_of("single-page-applications.md", "examples/spa", 4);
}

/// P76.
#[test]
fn the_guide_to_openid_connect_shows_its_example() {
    shows_parts_of("openid-connect.md", "examples/openid", 3);
}

/// A guide has at least so many blocks of code that no other test compiles, and each is in one of the files of a folder.
#[track_caller]
fn shows_parts_of(guide: &str, folder: &str, at_least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/guides").join(guide)).unwrap();
    let mut files = Vec::new();
    read(&root.join(folder), &mut files);
    let blocks: Vec<String> = ["```rust,ignore\n", "```js\n"].iter().flat_map(|kind| blocks(&text, kind)).collect();
    assert!(blocks.len() >= at_least, "only {} blocks", blocks.len());
    for block in blocks {
        assert!(files.iter().any(|file| file.contains(&block)), "{guide} shows what {folder} does not have:\n{block}");
    }
}

fn blocks<'a>(guide: &'a str, kind: &str) -> impl Iterator<Item = String> + use<'a> {
    let rest: Vec<&str> = guide.split(kind).skip(1).collect();
    rest.into_iter().map(|rest| unindented(rest.split("```").next().unwrap_or_default()))
}

/// All files below a folder.
fn read(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(unindented(&text));
        }
    }
}

/// A guide may show what stands inside of something else.
fn unindented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}
