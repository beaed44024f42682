//! What one module says: its items, its children, and whatever it names of other modules.
//!
//! What only tests compile is left out, as tests may know everything.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, Token, UseTree, Visibility};

#[derive(Default)]
pub struct Source {
    /// Names of items that are written here.
    pub items: BTreeSet<String>,
    pub uses: Vec<Use>,
    /// Paths of two names or more, outside of `use`.
    pub paths: Vec<Vec<String>>,
    /// Every name, outside of `use`.
    pub words: BTreeSet<String>,
    pub children: Vec<(String, Child)>,
}

/// One name of a `use`.
pub struct Use {
    pub path: Vec<String>,
    /// What it is called here; `None` for `*`.
    pub name: Option<String>,
    /// Whether others may find it here.
    pub is_reexport: bool,
}

pub enum Child {
    File,
    Inline(Source),
}

impl Source {
    pub fn parse(text: &str) -> syn::Result<Self> {
        let mut source = Source::default();
        source.visit_file(&syn::parse_file(text)?);
        Ok(source)
    }

    fn note_module(&mut self, module: &ItemMod) {
        let is_elsewhere = module.attrs.iter().any(|attribute| attribute.path().is_ident("path"));
        assert!(!is_elsewhere, "`mod {}` with a path of its own is not understood here", module.ident);
        let child = match &module.content {
            None => Child::File,
            Some((_, items)) => {
                let mut inline = Source::default();
                items.iter().for_each(|item| inline.visit_item(item));
                Child::Inline(inline)
            }
        };
        self.children.push((module.ident.to_string(), child));
    }

    fn note_use(&mut self, item: &ItemUse) {
        let is_external = item.leading_colon.is_some();
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        if !is_external {
            self.note_names(&item.tree, Vec::new(), is_reexport);
        }
    }

    fn note_names(&mut self, tree: &UseTree, mut path: Vec<String>, is_reexport: bool) {
        let name = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.note_names(&part.tree, path, is_reexport);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.note_names(tree, path.clone(), is_reexport));
            }
            UseTree::Glob(_) => None,
            UseTree::Name(last) if last.ident == "self" => path.last().cloned(),
            UseTree::Name(last) => {
                path.push(last.ident.to_string());
                path.last().cloned()
            }
            UseTree::Rename(last) => {
                if last.ident != "self" {
                    path.push(last.ident.to_string());
                }
                Some(last.rename.to_string())
            }
        };
        self.uses.push(Use { path, name, is_reexport });
    }

    fn note_path(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.push(path);
        }
    }

    /// What a macro is given is no syntax as yet; paths can be told all the same.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.note_path(std::mem::take(&mut path));
                    }
                    colons = 0;
                    path.push(name.to_string());
                    self.words.insert(name.to_string());
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.note_path(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.note_path(path);
    }
}

impl Visit<'_> for Source {
    fn visit_item(&mut self, item: &Item) {
        let (attributes, name) = attributes_and_name(item);
        if are_for_tests(attributes) {
            return;
        }
        self.items.extend(name.map(Ident::to_string));
        match item {
            Item::Mod(module) => self.note_module(module),
            Item::Use(item) => self.note_use(item),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        if !are_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.note_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.visit_path(&call.path);
        self.note_tokens(call.tokens.clone());
    }

    fn visit_ident(&mut self, name: &Ident) {
        self.words.insert(name.to_string());
    }

    /// Neither `pub(in …)` nor an attribute imports anything.
    fn visit_visibility(&mut self, _: &Visibility) {}

    fn visit_attribute(&mut self, _: &Attribute) {}
}

fn attributes_and_name(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(syn::ItemConst { attrs, ident, .. })
        | Item::Enum(syn::ItemEnum { attrs, ident, .. })
        | Item::Static(syn::ItemStatic { attrs, ident, .. })
        | Item::Struct(syn::ItemStruct { attrs, ident, .. })
        | Item::Trait(syn::ItemTrait { attrs, ident, .. })
        | Item::TraitAlias(syn::ItemTraitAlias { attrs, ident, .. })
        | Item::Type(syn::ItemType { attrs, ident, .. })
        | Item::Union(syn::ItemUnion { attrs, ident, .. })
        | Item::Fn(syn::ItemFn { attrs, sig: syn::Signature { ident, .. }, .. }) => (attrs, Some(ident)),
        Item::Macro(syn::ItemMacro { attrs, ident, .. }) => (attrs, ident.as_ref()),
        Item::ExternCrate(syn::ItemExternCrate { attrs, .. })
        | Item::ForeignMod(syn::ItemForeignMod { attrs, .. })
        | Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Mod(ItemMod { attrs, .. })
        | Item::Use(ItemUse { attrs, .. }) => (attrs, None),
        _ => (&[], None),
    }
}

fn are_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args().is_ok_and(|condition| is_for_tests(&condition))
        }
        _ => false,
    })
}

/// Whether the condition holds in tests alone.
fn is_for_tests(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return ["test", "doctest"].iter().any(|name| condition.path().is_ident(name));
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    match list.path.get_ident().map(Ident::to_string).as_deref() {
        Some("all") => parts.iter().any(is_for_tests),
        Some("any") => !parts.is_empty() && parts.iter().all(is_for_tests),
        _ => false,
    }
}
