//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub type Graph<Node> = BTreeMap<Node, BTreeSet<Node>>;

/// The shortest circle through each node that is in no circle found before.
pub fn circles<Node: Clone + Ord>(graph: &Graph<Node>) -> Vec<Vec<Node>> {
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for node in graph.keys() {
        if known.contains(node) {
            continue;
        }
        if let Some(circle) = circle_through(graph, node) {
            known.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}

fn circle_through<Node: Clone + Ord>(graph: &Graph<Node>, start: &Node) -> Option<Vec<Node>> {
    let mut reached_from: BTreeMap<&Node, &Node> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                return Some(way_back(&reached_from, node));
            }
            if !reached_from.contains_key(next) {
                reached_from.insert(next, node);
                waiting.push_back(next);
            }
        }
    }
    None
}

fn way_back<Node: Clone + Ord>(reached_from: &BTreeMap<&Node, &Node>, last: &Node) -> Vec<Node> {
    let mut way = vec![last.clone()];
    let mut node = last;
    while let Some(before) = reached_from.get(node) {
        way.push((*before).clone());
        node = before;
    }
    way.reverse();
    way
}
