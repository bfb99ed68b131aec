//! Which files of a crate name which others: the arrows between them, and the circles that the arrows make.
use std::collections::{BTreeMap, BTreeSet};

use syn::{
    ImplItem, Item, ItemMod, Path, TraitItem, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::sources::{Module, text};

/// For each file of a crate, the files that it names. A `pub use` is no arrow of the file that has it: who uses the
/// name points to where it is defined.
#[must_use]
pub fn arrows(modules: &BTreeMap<Module, String>) -> BTreeMap<String, BTreeSet<String>> {
    let named: BTreeMap<&Module, Names> = modules
        .iter()
        .map(|(module, file)| (module, Names::of(file)))
        .collect();
    let resolver = Resolver {
        modules,
        named: &named,
    };
    let mut arrows = BTreeMap::new();
    for (module, file) in modules {
        let targets: BTreeSet<String> = named[module]
            .used
            .iter()
            .filter_map(|path| resolver.file(module, path, 0))
            .filter(|target| target != file)
            .collect();
        arrows.insert(file.clone(), targets);
    }
    arrows
}

/// The circles: sets of files each of which reaches all others of its set.
#[must_use]
pub fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = arrows
        .keys()
        .map(|file| (file, reachable(arrows, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(*file) {
            let circle = reached.iter().filter(|other| reach[*other].contains(*file));
            circles.insert(circle.map(|&other| other.clone()).collect::<BTreeSet<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(
    arrows: &'a BTreeMap<String, BTreeSet<String>>,
    from: &String,
) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = arrows[from].iter().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(&arrows[file]);
        }
    }
    reached
}

/// The paths that a file names: those that it hands on with `pub use`, and those that it uses itself.
#[derive(Default)]
struct Names {
    used: BTreeSet<Vec<String>>,
    handed_on: Vec<Vec<String>>,
}

impl Names {
    fn of(file: &str) -> Self {
        let parsed = syn::parse_file(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut names = Self::default();
        names.visit_file(&parsed);
        names
    }

    fn tree(tree: &UseTree, before: &[String], into: &mut Vec<Vec<String>>) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => Self::tree(&path.tree, &with(path.ident.to_string()), into),
            UseTree::Name(name) if name.ident == "self" => into.push(before.to_vec()),
            UseTree::Name(name) => into.push(with(name.ident.to_string())),
            UseTree::Rename(name) => into.push(with(name.ident.to_string())),
            UseTree::Glob(_) => into.push(before.to_vec()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    Self::tree(tree, before, into);
                }
            }
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Use(item) => {
                let mut paths = Vec::new();
                Self::tree(&item.tree, &[], &mut paths);
                if matches!(item.vis, Visibility::Inherited) {
                    self.used.extend(paths);
                } else {
                    self.handed_on.extend(paths);
                }
            }
            Item::Fn(item) if is_for_tests(&item.attrs) => {}
            Item::Impl(item) if is_for_tests(&item.attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        visit::visit_trait_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|s| s.ident.to_string());
            self.used.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }

    /// What stands in a macro is no syntax tree: its paths are found by their shape, `crate::…` or `super::…`.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let tokens = item.tokens.to_string();
        let words: Vec<&str> = tokens
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == ' '))
            .collect();
        for word in words {
            let path: Vec<String> = word
                .split("::")
                .map(|segment| segment.trim().to_owned())
                .collect();
            let first = path[0].rsplit(' ').next().unwrap_or_default().to_owned();
            if path.len() > 1 && ["crate", "super", "self"].contains(&first.as_str()) {
                let rest = path[1..].iter().map_while(|s| {
                    let name = s.split(' ').next().unwrap_or_default();
                    (!name.is_empty()).then(|| name.to_owned())
                });
                self.used.insert([first].into_iter().chain(rest).collect());
            }
        }
        visit::visit_macro(self, item);
    }
}

struct Resolver<'a> {
    modules: &'a BTreeMap<Module, String>,
    named: &'a BTreeMap<&'a Module, Names>,
}

impl Resolver<'_> {
    /// The file where a path leads that stands in a module; none if it leaves the crate.
    fn file(&self, from: &Module, path: &[String], depth: usize) -> Option<String> {
        let absolute = self.absolute(from, path)?;
        let module = (0..=absolute.len())
            .rev()
            .map(|length| absolute[..length].to_vec())
            .find(|module| self.modules.contains_key(module))?;
        if let Some(name) = absolute.get(module.len())
            && depth < 8
        {
            let handed_on = self.named[&module]
                .handed_on
                .iter()
                .find(|path| path.last() == Some(name));
            if let Some(onward) = handed_on
                && let Some(file) = self.file(&module, onward, depth + 1)
            {
                return Some(file);
            }
        }
        self.modules.get(&module).cloned()
    }

    fn absolute(&self, from: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = from.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                let module = [base.as_slice(), &[child.to_owned()]].concat();
                if !self.modules.contains_key(&module) {
                    return None;
                }
            }
        }
        Some([base.as_slice(), rest].concat())
    }
}
