//! Which file imports from which.

use std::collections::BTreeSet;

use crate::source::Use;
use crate::tree::{Found, Module, ModulePath, Tree, start};

/// One file needs an item of another. Both are named by the module that has the whole file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: ModulePath,
    pub to: ModulePath,
    pub name: String,
}

/// All imports, each from the file that owns the item, whoever else re-exports it.
pub fn imports(tree: &Tree) -> BTreeSet<Import> {
    let found = tree.modules().flat_map(|(path, module)| {
        let from_uses = module.source.uses.iter().flat_map(|import| items_of_use(tree, path, module, import));
        let from_paths = module.source.paths.iter().filter_map(|written| tree.resolve(path, written));
        let items: Vec<Found> = from_uses.chain(from_paths).collect();
        items.into_iter().filter_map(|item| import(tree, module, item))
    });
    found.collect()
}

fn import(tree: &Tree, module: &Module, found: Found) -> Option<Import> {
    // To name a module is to import nothing; what it is named for is found by the paths through it.
    let Found::Item { owner, name } = found else { return None };
    let (from, to) = (module.home.clone(), tree.module(&owner).home.clone());
    (from != to).then_some(Import { from, to, name })
}

fn items_of_use(tree: &Tree, path: &ModulePath, module: &Module, import: &Use) -> Vec<Found> {
    // A room's own file tells what the room offers. That is no import unless it needs it itself.
    let is_offer = import.is_reexport && tree.is_room(path);
    match &import.name {
        Some(name) if is_offer && !module.source.words.contains(name) => Vec::new(),
        Some(_) => tree.resolve(path, &import.path).into_iter().collect(),
        None => items_of_glob(tree, path, module, import, is_offer),
    }
}

/// Of `*`, whatever is named here.
fn items_of_glob(tree: &Tree, path: &ModulePath, module: &Module, import: &Use, is_offer: bool) -> Vec<Found> {
    let target = match tree.resolve(path, &import.path) {
        Some(Found::Module(target)) => target,
        other => return other.into_iter().filter(|_| !is_offer).collect(),
    };
    let source = &tree.module(&target).source;
    let offered = source.items.iter().chain(source.uses.iter().filter_map(|import| import.name.as_ref()));
    let needed = offered.filter(|name| module.source.words.contains(*name));
    let items: Vec<Found> = needed.filter_map(|name| tree.resolve(&target, &["self".into(), name.clone()])).collect();
    if items.is_empty() && !is_offer {
        return vec![Found::Item { owner: target, name: "*".to_owned() }];
    }
    items
}

/// What is imported through the crate's root though another module owns it, as `FILE: NAME`.
pub fn imports_through_the_root(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, module) in tree.modules().filter(|(path, _)| !path.is_empty()) {
        for written in module.source.uses.iter().map(|import| &import.path).chain(&module.source.paths) {
            let Some((&[], [name, ..])) = start(path, written) else { continue };
            if let Some(Found::Item { owner, .. }) = tree.resolve(&[], &["crate".to_owned(), name.clone()])
                && !owner.is_empty()
            {
                found.insert(format!("{}: {name}", module.file));
            }
        }
    }
    found
}
