//! What a path means: the names of each module, and how one is followed to where it is defined.

use std::{collections::HashMap, rc::Rc};

use syn::{Fields, Item, Path, UseTree};

use crate::{
    cfg::test_only,
    tree::{Tree, attributes, plain},
};

/// The names of every module of a crate.
pub(crate) struct Names<'a> {
    pub(crate) tree: &'a Tree,
    scopes: Vec<Scope>,
}

/// The names of a module or block.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    entries: HashMap<String, Vec<Entry>>,
    imports: HashMap<String, Vec<Import>>,
    globs: Vec<Import>,
    /// `macro_rules!` known from there on downwards without a path, with the modules that define them.
    macros: HashMap<String, usize>,
}

/// Types and values and macros may share a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// Types, traits and modules.
    Type,
    /// Functions, constants, and constructors without braces.
    Value,
    Macro,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Module(usize),
    Item {
        /// Where it is defined.
        module: usize,
        name: String,
        variants: Rc<[String]>,
    },
    /// In another crate, or not a name of a module's.
    Elsewhere,
}

/// A path and what it leads to, of which there are several only where features choose one.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) found: Vec<Found>,
    /// The modules that the path names on its way, each with the rest of the path.
    pub(crate) through: Vec<(usize, String)>,
}

/// Where a path stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position<'a> {
    pub(crate) module: usize,
    /// Innermost last.
    pub(crate) blocks: &'a [Scope],
}

/// One name of a `use`, or a `*`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// What it is called here; `None` for a `*`.
    pub(crate) name: Option<String>,
    pub(crate) segments: Vec<String>,
    pub(crate) span: proc_macro2::Span,
}

#[derive(Clone, Debug)]
struct Entry {
    namespaces: &'static [Namespace],
    found: Found,
}

/// The lookups that are under way: imports may go in circles.
type Seen = Vec<(usize, String, Namespace)>;

use Namespace::{Macro, Type, Value};

impl Namespace {
    pub(crate) const ALL: [Self; 3] = [Type, Value, Macro];
}

impl<'a> Names<'a> {
    pub(crate) fn of(tree: &'a Tree) -> Self {
        let mut scopes: Vec<_> = tree.ids().map(|_| Scope::default()).collect();
        for id in tree.ids() {
            let module = tree.module(id);
            for &child in &module.children {
                scopes[id].enter(tree.module(child).name.clone(), &[Type], Found::Module(child));
            }
            for item in module.parts.iter().flat_map(|part| &part.items) {
                scopes[id].add(id, item);
                if let Item::Macro(item) = item
                    && let Some(name) = &item.ident
                    && item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
                {
                    let name = plain(&name.to_string());
                    scopes[Tree::ROOT].enter(name.clone(), &[Macro], Found::item(id, name));
                }
            }
        }
        // Parents come before their children, so what goes up goes from the end.
        for id in tree.ids().rev() {
            if let Some(parent) = tree.module(id).parent.filter(|_| tree.module(id).macro_use) {
                let macros = scopes[id].macros.clone();
                scopes[parent].macros.extend(macros);
            }
        }
        Self { tree, scopes }
    }

    pub(crate) fn scope(&self, module: usize) -> &Scope {
        &self.scopes[module]
    }

    /// What `segments` lead to.
    ///
    /// A name that a module does not have is one that a macro made there.
    pub(crate) fn follow(&self, segments: &[String], namespace: Namespace, from: Position<'_>) -> Followed {
        self.follow_seen(segments, namespace, from, &mut Vec::new())
    }

    fn follow_seen(&self, segments: &[String], last: Namespace, from: Position<'_>, seen: &mut Seen) -> Followed {
        let Some((first, rest)) = segments.split_first() else { return Followed::default() };
        let namespace = |left: usize| if left == 0 { last } else { Type };
        let first_found = match first.as_str() {
            "" => match rest.first() {
                // `::name`: another crate, but for a crate that gave itself a name.
                Some(name) if self.scopes[Tree::ROOT].is_own_name(name) => vec![Found::Module(Tree::ROOT)],
                _ => vec![Found::Elsewhere],
            },
            "crate" | "$crate" => vec![Found::Module(Tree::ROOT)],
            "self" => vec![Found::Module(from.module)],
            "super" => self.above(from.module),
            "Self" => vec![Found::Elsewhere],
            name => self.first(name, namespace(rest.len()), from, seen),
        };
        let mut followed = Followed { found: first_found, through: Vec::new() };
        let rest = if first.is_empty() { rest.get(1..).unwrap_or_default() } else { rest };
        for (at, name) in rest.iter().enumerate() {
            let mut next = Vec::new();
            for found in std::mem::take(&mut followed.found) {
                let Found::Module(module) = found else {
                    // A variant or associated item is where its type is.
                    next.push(found);
                    continue;
                };
                followed.through.push((module, rest[at..].join("::")));
                next.extend(match name.as_str() {
                    "super" => self.above(module),
                    "self" => vec![Found::Module(module)],
                    name => self.in_module(module, name, namespace(rest.len() - at - 1), seen),
                });
            }
            followed.found = next;
        }
        followed
    }

    fn above(&self, module: usize) -> Vec<Found> {
        self.tree.module(module).parent.map(Found::Module).into_iter().collect()
    }

    /// The first name of a path: in the blocks around it, then in the module.
    fn first(&self, name: &str, namespace: Namespace, from: Position<'_>, seen: &mut Seen) -> Vec<Found> {
        for (depth, block) in from.blocks.iter().enumerate().rev() {
            let outside = Position { blocks: &from.blocks[..depth], ..from };
            let found = self.in_scope(block, name, namespace, outside, seen);
            if !found.is_empty() {
                return found;
            }
        }
        if namespace == Macro {
            let above = self.tree.way_to(from.module);
            let defined = above.iter().rev().find_map(|&module| self.scopes[module].macros.get(name));
            if let Some(&module) = defined {
                return vec![Found::item(module, name.to_owned())];
            }
        }
        let found = self.lookup(from.module, name, namespace, seen);
        if !found.is_empty() {
            found
        } else if self.scopes[Tree::ROOT].is_own_name(name) {
            vec![Found::Module(Tree::ROOT)]
        } else {
            vec![Found::Elsewhere]
        }
    }

    /// A name after `module::`.
    fn in_module(&self, module: usize, name: &str, namespace: Namespace, seen: &mut Seen) -> Vec<Found> {
        let found = self.lookup(module, name, namespace, seen);
        if !found.is_empty() {
            found
        } else if Namespace::ALL.iter().any(|&other| !self.lookup(module, name, other, seen).is_empty()) {
            Vec::new()
        } else {
            vec![Found::item(module, name.to_owned())]
        }
    }

    /// The name in the module's own scope.
    fn lookup(&self, module: usize, name: &str, namespace: Namespace, seen: &mut Seen) -> Vec<Found> {
        let scope = &self.scopes[module];
        let key = (module, name.to_owned(), namespace);
        if seen.contains(&key) {
            return scope.defined(name, namespace);
        }
        seen.push(key);
        let found = self.in_scope(scope, name, namespace, Position { module, blocks: &[] }, seen);
        seen.pop();
        found
    }

    /// The name in a scope: what is defined or imported by name there, else what a `*` brings.
    fn in_scope(
        &self,
        scope: &Scope,
        name: &str,
        namespace: Namespace,
        outside: Position<'_>,
        seen: &mut Seen,
    ) -> Vec<Found> {
        let mut found = scope.defined(name, namespace);
        for import in scope.imports.get(name).into_iter().flatten() {
            for one in self.follow_seen(&import.segments, namespace, outside, seen).found {
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
        for glob in &scope.globs {
            for from in self.follow_seen(&glob.segments, Type, outside, seen).found {
                let brought = match from {
                    Found::Module(module) => self.lookup(module, name, namespace, seen),
                    Found::Item { ref variants, .. } if variants.iter().any(|variant| variant == name) => vec![from],
                    Found::Item { .. } | Found::Elsewhere => Vec::new(),
                };
                found.extend(brought.into_iter().filter(|one| *one != Found::Elsewhere));
            }
        }
        found
    }
}

impl Scope {
    /// The names that the statements of a block bring in.
    pub(crate) fn of_block(module: usize, block: &syn::Block) -> Self {
        let mut scope = Self::default();
        for statement in &block.stmts {
            if let syn::Stmt::Item(item) = statement
                && !test_only(attributes(item))
            {
                scope.add(module, item);
            }
        }
        scope
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.imports.is_empty() && self.globs.is_empty() && self.macros.is_empty()
    }

    /// Whether a `use` of this scope brings the name, and not by a `*`.
    pub(crate) fn imports(&self, name: &str) -> bool {
        self.imports.contains_key(name)
    }

    fn defined(&self, name: &str, namespace: Namespace) -> Vec<Found> {
        let mut found = Vec::new();
        for entry in self.entries.get(name).into_iter().flatten() {
            if entry.namespaces.contains(&namespace) && !found.contains(&entry.found) {
                found.push(entry.found.clone());
            }
        }
        found
    }

    /// Whether `extern crate self as name` is here.
    fn is_own_name(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|all| all.iter().any(|one| one.found == Found::Module(Tree::ROOT)))
    }

    fn enter(&mut self, name: String, namespaces: &'static [Namespace], found: Found) {
        self.entries.entry(name).or_default().push(Entry { namespaces, found });
    }

    fn add(&mut self, module: usize, item: &Item) {
        let (name, namespaces): (_, &'static [Namespace]) = match item {
            Item::Const(item) => (&item.ident, &[Value]),
            Item::Static(item) => (&item.ident, &[Value]),
            Item::Fn(item) => (&item.sig.ident, &[Value]),
            Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| plain(&variant.ident.to_string())).collect();
                let name = plain(&item.ident.to_string());
                let found = Found::Item { module, name: name.clone(), variants };
                return self.enter(name, &[Type], found);
            }
            Item::Struct(item) => match item.fields {
                Fields::Named(_) => (&item.ident, &[Type]),
                Fields::Unnamed(_) | Fields::Unit => (&item.ident, &[Type, Value]),
            },
            Item::Union(item) => (&item.ident, &[Type]),
            Item::Trait(item) => (&item.ident, &[Type]),
            Item::TraitAlias(item) => (&item.ident, &[Type]),
            Item::Type(item) => (&item.ident, &[Type]),
            Item::ExternCrate(item) => {
                let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
                let found = if item.ident == "self" { Found::Module(Tree::ROOT) } else { Found::Elsewhere };
                return self.enter(plain(&name.to_string()), &[Type], found);
            }
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.macros.insert(plain(&name.to_string()), module);
                }
                return;
            }
            Item::Use(item) => {
                for import in imports(item) {
                    match &import.name {
                        Some(name) => self.imports.entry(name.clone()).or_default().push(import),
                        None => self.globs.push(import),
                    }
                }
                return;
            }
            _ => return,
        };
        let name = plain(&name.to_string());
        let found = Found::item(module, name.clone());
        self.enter(name, namespaces, found);
    }
}

impl Found {
    fn item(module: usize, name: String) -> Self {
        Self::Item { module, name, variants: Rc::new([]) }
    }
}

/// The names of a path; an empty one first if it starts with `::`.
pub(crate) fn segments(path: &Path) -> Vec<String> {
    let start = path.leading_colon.map(|_| String::new());
    start.into_iter().chain(path.segments.iter().map(|segment| plain(&segment.ident.to_string()))).collect()
}

/// Every name that a `use` brings in.
pub(crate) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let mut all = Vec::new();
    let start = item.leading_colon.map(|_| String::new()).into_iter().collect();
    leaves(&item.tree, start, &mut all);
    all
}

fn leaves(tree: &UseTree, mut before: Vec<String>, all: &mut Vec<Import>) {
    let mut push = |name: Option<String>, segments: Vec<String>, span| {
        all.push(Import { name, segments, span });
    };
    match tree {
        UseTree::Path(tree) => {
            before.push(plain(&tree.ident.to_string()));
            leaves(&tree.tree, before, all);
        }
        UseTree::Name(tree) if tree.ident == "self" => {
            push(before.last().cloned(), before, tree.ident.span());
        }
        UseTree::Name(tree) => {
            let name = plain(&tree.ident.to_string());
            before.push(name.clone());
            push(Some(name), before, tree.ident.span());
        }
        UseTree::Rename(tree) => {
            if tree.ident != "self" {
                before.push(plain(&tree.ident.to_string()));
            }
            push(Some(plain(&tree.rename.to_string())), before, tree.ident.span());
        }
        UseTree::Glob(tree) => push(None, before, tree.star_token.spans[0]),
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before.clone(), all);
            }
        }
    }
}
