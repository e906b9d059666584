//! The modules of a crate, read from its files.

use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta, Token, punctuated::Punctuated};

use crate::cfg::test_only;

/// The modules of a crate; the first is its root.
pub(crate) struct Tree {
    modules: Vec<Module>,
}

/// A module. Alternatives of one name, of which the features choose one, are one module with several parts.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) parts: Vec<Part>,
    /// Whether its `macro_rules!` are seen by the modules beside it.
    pub(crate) macro_use: bool,
}

/// What one file has of a module: without the modules in it, and without what only tests have.
pub(crate) struct Part {
    /// Relative to the directory of the crate's root.
    pub(crate) file: String,
    pub(crate) items: Vec<Item>,
}

/// Where a file's text comes from: `None` if there is no such file.
pub(crate) type Source<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Where the files of the modules declared in a file are.
#[derive(Clone)]
struct Place {
    file: PathBuf,
    /// The directory of its child modules.
    directory: PathBuf,
    /// The directory that a `path` attribute starts from.
    attribute: PathBuf,
}

impl Tree {
    pub(crate) const ROOT: usize = 0;

    /// Reads the crate whose root is the file `root`.
    ///
    /// # Errors
    ///
    /// What file is missing, or could not be parsed, and why.
    pub(crate) fn read(root: &Path, source: Source<'_>) -> Result<Self, String> {
        let mut tree = Self { modules: vec![Module::new(String::new(), None)] };
        tree.read_file(Self::ROOT, &Place::owning(root.to_owned()), source)?;
        Ok(tree)
    }

    pub(crate) fn module(&self, id: usize) -> &Module {
        &self.modules[id]
    }

    pub(crate) fn ids(&self) -> std::ops::Range<usize> {
        0..self.modules.len()
    }

    /// Those above `id` and itself, root first.
    pub(crate) fn way_to(&self, id: usize) -> Vec<usize> {
        let mut way = vec![id];
        while let Some(parent) = way.last().and_then(|&id| self.modules[id].parent) {
            way.push(parent);
        }
        way.reverse();
        way
    }

    /// As it would be written in the root: `connection::driver`; the root's is empty.
    pub(crate) fn path_of(&self, id: usize) -> String {
        let names: Vec<_> = self.way_to(id)[1..].iter().map(|&id| self.modules[id].name.as_str()).collect();
        names.join("::")
    }

    fn read_file(&mut self, id: usize, place: &Place, source: Source<'_>) -> Result<(), String> {
        let shown = place.file.display();
        let text = source(&place.file).ok_or_else(|| format!("{shown}: no such file"))?;
        let file = syn::parse_file(&text).map_err(|error| {
            let start = error.span().start();
            format!("{shown}:{}:{}: {error}", start.line, start.column + 1)
        })?;
        if test_only(&file.attrs) {
            return Ok(());
        }
        self.read_items(id, place, file.items, source)
    }

    fn read_items(&mut self, id: usize, place: &Place, items: Vec<Item>, source: Source<'_>) -> Result<(), String> {
        let mut own = Vec::new();
        for item in items {
            match item {
                item if test_only(attributes(&item)) => {}
                Item::Mod(module) => self.read_module(id, place, module, source)?,
                item => own.push(item),
            }
        }
        self.modules[id].parts.push(Part { file: place.file.display().to_string().replace('\\', "/"), items: own });
        Ok(())
    }

    fn read_module(&mut self, parent: usize, place: &Place, item: ItemMod, source: Source<'_>) -> Result<(), String> {
        let name = plain(&item.ident.to_string());
        let id = self.child(parent, &name);
        self.modules[id].macro_use |= item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_use"));
        let (always, at_times) = paths(&item.attrs);
        if let Some((_, items)) = item.content {
            let directory =
                always.map_or_else(|| place.directory.join(&name), |path| normal(&place.attribute.join(path)));
            let inner = Place { file: place.file.clone(), attribute: directory.clone(), directory };
            return self.read_items(id, &inner, items, source);
        }
        if let Some(path) = always {
            return self.read_file(id, &Place::owning(normal(&place.attribute.join(path))), source);
        }
        for path in &at_times {
            self.read_file(id, &Place::owning(normal(&place.attribute.join(path))), source)?;
        }
        let (flat, nested) = (place.directory.join(format!("{name}.rs")), place.directory.join(&name).join("mod.rs"));
        if source(&nested).is_some() {
            self.read_file(id, &Place::owning(nested), source)
        } else if at_times.is_empty() || source(&flat).is_some() {
            let inner =
                Place { attribute: place.directory.clone(), directory: place.directory.join(&name), file: flat };
            self.read_file(id, &inner, source)
        } else {
            Ok(())
        }
    }

    fn child(&mut self, parent: usize, name: &str) -> usize {
        let same = self.modules[parent].children.iter().find(|&&id| self.modules[id].name == name);
        if let Some(&id) = same {
            return id;
        }
        let id = self.modules.len();
        self.modules.push(Module::new(name.to_owned(), Some(parent)));
        self.modules[parent].children.push(id);
        id
    }
}

impl Module {
    fn new(name: String, parent: Option<usize>) -> Self {
        Self { name, parent, children: Vec::new(), parts: Vec::new(), macro_use: false }
    }
}

impl Place {
    /// Of a file whose child modules are beside it: a root, a `mod.rs`, or one that an attribute names.
    fn owning(file: PathBuf) -> Self {
        let directory = file.parent().map(Path::to_owned).unwrap_or_default();
        Self { file, attribute: directory.clone(), directory }
    }
}

/// A name without `r#`.
pub(crate) fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

/// The file that a `path` attribute names, and those that a `cfg_attr` names.
fn paths(attributes: &[Attribute]) -> (Option<String>, Vec<String>) {
    let (mut always, mut at_times) = (None, Vec::new());
    for attribute in attributes {
        if let Some(path) = path(&attribute.meta) {
            always = Some(path);
        } else if attribute.path().is_ident("cfg_attr")
            && let Ok(metas) = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        {
            at_times.extend(metas.iter().skip(1).filter_map(path));
        }
    }
    (always, at_times)
}

fn path(meta: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = meta else { return None };
    match &pair.value {
        Expr::Lit(literal) if pair.path.is_ident("path") => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
