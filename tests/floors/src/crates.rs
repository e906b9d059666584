//! The crates of the repository, found by their files.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    circles::{Level, levels_of},
    tree::Tree,
    uses::uses_of,
};

/// A crate with its levels.
#[derive(Debug)]
pub struct Crate {
    /// The directory of its package, and what kind of root it has if that is not a library.
    pub name: String,
    /// By the paths of their modules, the root's first; without those of fewer than two modules.
    pub levels: Vec<Level>,
}

impl Crate {
    /// Reads the crate whose root is the file `root`.
    ///
    /// # Errors
    ///
    /// Which file is missing or could not be parsed, and why.
    pub fn read(name: &str, root: &Path) -> Result<Self, String> {
        let directory = root.parent().unwrap_or(root);
        let file = root.file_name().unwrap_or_default();
        Self::of(name, Path::new(file), &|path| fs::read_to_string(directory.join(path)).ok())
    }

    /// Reads a crate from texts by their names. Its root is `lib.rs`.
    ///
    /// # Errors
    ///
    /// Which file is missing or could not be parsed, and why.
    pub fn from_texts(name: &str, files: &[(&str, &str)]) -> Result<Self, String> {
        let files: HashMap<_, _> = files.iter().map(|&(name, text)| (Path::new(name), text)).collect();
        Self::of(name, Path::new("lib.rs"), &|path| files.get(path).map(|&text| text.to_owned()))
    }

    fn of(name: &str, root: &Path, source: &dyn Fn(&Path) -> Option<String>) -> Result<Self, String> {
        let tree = Tree::read(root, source).map_err(|error| format!("{name}: {error}"))?;
        let uses = uses_of(&tree);
        Ok(Self { name: name.to_owned(), levels: levels_of(&tree, &uses) })
    }
}

/// The crates below `directory` that have a `src/lib.rs` or `src/main.rs`, by name.
///
/// # Errors
///
/// What could not be read, and why.
pub fn repository(directory: &Path) -> Result<Vec<Crate>, String> {
    let mut roots = Vec::new();
    find(directory, &mut roots).map_err(|error| format!("{}: {error}", directory.display()))?;
    roots.sort();
    roots
        .iter()
        .map(|root| {
            let package = root.parent().and_then(Path::parent).unwrap_or(root);
            let package = package.strip_prefix(directory).unwrap_or(package).display().to_string().replace('\\', "/");
            let name = if root.ends_with("lib.rs") { package } else { format!("{package} (main)") };
            Crate::read(&name, root)
        })
        .collect()
}

fn find(directory: &Path, roots: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !entry.file_type()?.is_dir() || name.starts_with('.') || name == "target" {
            continue;
        }
        if name == "src" {
            let candidates = ["lib.rs", "main.rs"].map(|file| entry.path().join(file));
            roots.extend(candidates.into_iter().filter(|root| root.is_file()));
        } else {
            find(&entry.path(), roots)?;
        }
    }
    Ok(())
}
