/// Its blocks that no test of the documentation compiles are parts of the example, which has tests of its own.
#[test]
fn the_guide_to_own_stores_shows_the_example() {
    let example = unindented(include_str!("../../../session-core/examples/own_store.rs"));
    let guide = include_str!("../../../docs/guides/own-store.md");
    let blocks: Vec<String> = guide.split("```rust,ignore\n").skip(1).map(block).collect();
    assert!(blocks.len() > 5, "only {} blocks", blocks.len());
    for block in blocks {
        assert!(example.contains(&block), "examples/own_store.rs does not have\n{block}");
    }
}

fn block(rest: &str) -> String {
    unindented(rest.split("```").next().unwrap_or_default())
}

fn unindented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}
