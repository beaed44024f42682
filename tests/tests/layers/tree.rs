//! The modules of a crate, and what a path written in one of them leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Child, Source, Use};

/// The names from the crate's root down; empty for the root itself.
pub type ModulePath = Vec<String>;

pub struct Tree {
    modules: BTreeMap<ModulePath, Module>,
}

pub struct Module {
    /// Where it is written, below the crate's `src`.
    pub file: String,
    /// The module that has the whole file: another one for what is written inline.
    pub home: ModulePath,
    pub source: Source,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Module(ModulePath),
    /// An item, by the module that owns it.
    Item {
        owner: ModulePath,
        name: String,
    },
    /// Another crate.
    Elsewhere,
}

/// What was looked for on the way, so that names that lead to each other end.
type Asked = BTreeSet<(ModulePath, String)>;

impl Tree {
    /// Reads a crate, given its first file and a way to read a file.
    ///
    /// # Panics
    ///
    /// If a file is missing or is no Rust.
    pub fn read(root: &str, read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut tree = Tree { modules: BTreeMap::new() };
        tree.add_file(Vec::new(), &[root.to_owned()], read);
        tree
    }

    fn add_file(&mut self, path: ModulePath, candidates: &[String], read: &dyn Fn(&str) -> Option<String>) {
        let found = candidates.iter().find_map(|file| Some((file, read(file)?)));
        let (file, text) = found.unwrap_or_else(|| panic!("there is none of {candidates:?}"));
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.add(path.clone(), &path, file, source, read);
    }

    fn add(
        &mut self,
        path: ModulePath,
        home: &ModulePath,
        file: &str,
        mut source: Source,
        read: &dyn Fn(&str) -> Option<String>,
    ) {
        for (name, child) in std::mem::take(&mut source.children) {
            let path = below(&path, &name);
            match child {
                Child::Inline(source) => self.add(path, home, file, source, read),
                Child::File => {
                    let place = path.join("/");
                    self.add_file(path, &[format!("{place}.rs"), format!("{place}/mod.rs")], read);
                }
            }
        }
        self.modules.insert(path, Module { file: file.to_owned(), home: home.clone(), source });
    }

    pub fn modules(&self) -> impl Iterator<Item = (&ModulePath, &Module)> {
        self.modules.iter()
    }

    pub fn module(&self, path: &[String]) -> &Module {
        &self.modules[path]
    }

    /// Whether the module is a room: others, in files of their own, are inside.
    pub fn is_room(&self, path: &[String]) -> bool {
        self.modules()
            .any(|(inner, module)| inner.len() > path.len() && inner.starts_with(path) && module.home == *inner)
    }

    /// What a path means that is written in a module; `None` if its first name is none of ours.
    pub fn resolve(&self, from: &[String], path: &[String]) -> Option<Found> {
        self.follow(from, path, &mut Asked::new())
    }

    fn follow(&self, from: &[String], path: &[String], asked: &mut Asked) -> Option<Found> {
        match start(from, path) {
            Some((start, rest)) => self.inside_or_hidden(start, rest, asked),
            None => self.inside(from, path, asked),
        }
    }

    /// An item that nobody can see is one that a macro makes, so it belongs to that module.
    fn inside_or_hidden(&self, module: &[String], path: &[String], asked: &mut Asked) -> Option<Found> {
        self.inside(module, path, asked).or_else(|| item(module, path.first()?))
    }

    fn inside(&self, module: &[String], path: &[String], asked: &mut Asked) -> Option<Found> {
        let Some((name, rest)) = path.split_first() else { return Some(Found::Module(module.to_vec())) };
        let child = below(module, name);
        if self.modules.contains_key(&child) {
            return self.inside_or_hidden(&child, rest, asked);
        }
        let source = &self.modules.get(module)?.source;
        if source.items.contains(name) {
            return item(module, name);
        }
        if !asked.insert((module.to_vec(), name.clone())) {
            return None;
        }
        let onward = |import: &Use| [&import.path[..], rest].concat();
        if let Some(import) = source.uses.iter().find(|import| import.name.as_ref() == Some(name)) {
            return Some(self.follow(module, &onward(import), asked).unwrap_or(Found::Elsewhere));
        }
        source.uses.iter().filter(|import| import.name.is_none()).find_map(|import| {
            let Some(Found::Module(all_of)) = self.follow(module, &import.path, asked) else { return None };
            self.inside(&all_of, path, asked)
        })
    }
}

/// Where a path begins that says so itself, and what is left of it.
pub fn start<'a>(from: &'a [String], path: &'a [String]) -> Option<(&'a [String], &'a [String])> {
    let (first, mut rest) = path.split_first()?;
    let mut module = match first.as_str() {
        "crate" => &[],
        "self" => from,
        "super" => above(from),
        _ => return None,
    };
    while rest.first().is_some_and(|name| name == "super") {
        (module, rest) = (above(module), &rest[1..]);
    }
    Some((module, rest))
}

fn above(module: &[String]) -> &[String] {
    module.split_last().map_or(module, |(_, above)| above)
}

fn below(module: &[String], name: &str) -> ModulePath {
    [module, &[name.to_owned()]].concat()
}

fn item(owner: &[String], name: &str) -> Option<Found> {
    Some(Found::Item { owner: owner.to_vec(), name: name.to_owned() })
}
