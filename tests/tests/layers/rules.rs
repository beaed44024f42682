//! What must hold among the files and rooms of a crate. A room is a module that has files inside.

use std::collections::BTreeSet;

use crate::circles::{Graph, circles};
use crate::imports::{Import, imports, imports_through_the_root};
use crate::tree::{ModulePath, Tree};

/// The rules of one crate beside those of all.
pub struct Rules {
    /// The first file, below the workspace.
    pub root: &'static str,
    /// Rooms from top to bottom: each may import from its own floor and those below.
    pub order: &'static [&'static [&'static str]],
    /// Whether items are imported from the module that owns them, and not through the root.
    pub imports_name_the_owner: bool,
}

/// Every rule that is broken, in words.
pub fn complaints(tree: &Tree, rules: &Rules) -> Vec<String> {
    let imports = imports(tree);
    let mut complaints = circles_of_files(tree, &imports);
    complaints.extend(circles_of_rooms(tree, &imports));
    complaints.extend(arrows_up(tree, &imports, rules.order));
    if rules.imports_name_the_owner {
        let through_the_root = imports_through_the_root(tree).into_iter();
        complaints.extend(through_the_root.map(|import| format!("imported through the crate's root: {import}")));
    }
    complaints
}

fn circles_of_files(tree: &Tree, imports: &BTreeSet<Import>) -> Vec<String> {
    let mut graph = Graph::new();
    for Import { from, to, .. } in imports {
        graph.entry(from.clone()).or_default().insert(to.clone());
    }
    let between = |from: &ModulePath, to: &ModulePath| {
        imports.iter().find(|import| import.from == *from && import.to == *to).expect("an arrow is an import")
    };
    circles(&graph).iter().map(|circle| in_words("files", tree, circle, between)).collect()
}

/// Among what lies side by side in a room, seen from outside: what is inside another room counts
/// as that room.
fn circles_of_rooms(tree: &Tree, imports: &BTreeSet<Import>) -> Vec<String> {
    let rooms = tree.modules().filter(|(path, module)| module.home == **path && tree.is_room(path));
    rooms.flat_map(|(room, _)| circles_in_room(tree, imports, room)).collect()
}

fn circles_in_room(tree: &Tree, imports: &BTreeSet<Import>, room: &ModulePath) -> Vec<String> {
    let part = |path: &ModulePath| path.starts_with(room).then(|| path[..path.len().min(room.len() + 1)].to_vec());
    let parts = |import: &Import| {
        let (from, to) = (part(&import.from)?, part(&import.to)?);
        (from != to && !is_error(import)).then_some((from, to))
    };
    let mut graph = Graph::new();
    for (from, to) in imports.iter().filter_map(parts) {
        graph.entry(from).or_default().insert(to);
    }
    // Those of files alone are told already.
    let has_a_room = |circle: &&Vec<ModulePath>| circle.iter().any(|part| part != room && tree.is_room(part));
    let between = |from: &ModulePath, to: &ModulePath| {
        let is_it = |import: &&Import| parts(import).is_some_and(|(f, t)| (&f, &t) == (from, to));
        imports.iter().find(is_it).expect("an arrow is an import")
    };
    circles(&graph).iter().filter(has_a_room).map(|circle| in_words("rooms", tree, circle, between)).collect()
}

fn in_words<'a>(
    kind: &str,
    tree: &Tree,
    circle: &[ModulePath],
    between: impl Fn(&ModulePath, &ModulePath) -> &'a Import,
) -> String {
    let names: Vec<String> = circle.iter().chain(circle.first()).map(name).collect();
    let arrows = circle.iter().zip(circle.iter().cycle().skip(1));
    let arrows = arrows.map(|(from, to)| format!("\n    {}", arrow(tree, between(from, to))));
    format!("{kind} in a circle: {}{}", names.join(" -> "), arrows.collect::<String>())
}

fn arrow(tree: &Tree, Import { from, to, name }: &Import) -> String {
    format!("{} imports {name} of {}", tree.module(from).file, tree.module(to).file)
}

fn arrows_up(tree: &Tree, imports: &BTreeSet<Import>, order: &[&[&str]]) -> Vec<String> {
    let there: BTreeSet<&str> = tree.modules().filter_map(|(path, _)| Some(path.first()?.as_str())).collect();
    let missing = order.iter().copied().flatten().filter(|room| !there.contains(*room));
    let missing = missing.map(|room| format!("the order names a room that is not there: {room}"));

    let floor = |path: &ModulePath| {
        order.iter().position(|floor| path.first().is_some_and(|room| floor.contains(&room.as_str())))
    };
    let goes_up = |import: &&Import| match (floor(&import.from), floor(&import.to)) {
        (Some(from), Some(to)) => to < from && !is_error(import),
        _ => false,
    };
    let up = imports.iter().filter(goes_up).map(|import| format!("up: {}", arrow(tree, import)));
    missing.chain(up).collect()
}

/// Between rooms, errors go everywhere.
fn is_error(import: &Import) -> bool {
    import.name.ends_with("Error")
}

fn name(path: &ModulePath) -> String {
    if path.is_empty() { "the root".to_owned() } else { path.join("::") }
}
