//! The files of a new project, which are part of this program.

use super::name::Name;

/// The files, and what is put into them.
#[derive(Debug)]
pub(super) struct Template {
    name: String,
    ident: String,
    pnet: String,
}

impl Template {
    /// For a project of this name, with this dependency on pnet.
    pub(super) fn new(name: &Name, pnet: &str) -> Self {
        Self { name: name.as_str().to_owned(), ident: name.ident(), pnet: pnet.to_owned() }
    }

    /// Where each file is, and what is in it.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, String)> {
        FILES.iter().map(|(path, content)| (*path, self.fill(content)))
    }

    fn fill(&self, content: &str) -> String {
        content
            .replace("{{name}}", &self.name)
            .replace("{{ident}}", &self.ident)
            .replace("{{pnet}}", &self.pnet)
            .replace("{{rust}}", RUST)
    }
}

/// What `pnet` itself needs, which is less than this tool does.
const RUST: &str = "1.89";

/// They are called `.in`, since a folder with a manifest in it is left out of a package, and a `.gitignore` is obeyed.
macro_rules! files {
    ($($path:literal from $file:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../template/", $file)))),*]
    };
}

const FILES: [(&str, &str); 12] = files![
    ".gitignore" from "gitignore.in",
    "Cargo.toml" from "Cargo.toml.in",
    "README.md" from "README.md.in",
    "client/Cargo.toml" from "client/Cargo.toml.in",
    "client/src/lib.rs" from "client/src/lib.rs.in",
    "client/src/main.rs" from "client/src/main.rs.in",
    "client/tests/memory.rs" from "client/tests/memory.rs.in",
    "protocol/Cargo.toml" from "protocol/Cargo.toml.in",
    "protocol/src/lib.rs" from "protocol/src/lib.rs.in",
    "server/Cargo.toml" from "server/Cargo.toml.in",
    "server/src/lib.rs" from "server/src/lib.rs.in",
    "server/src/main.rs" from "server/src/main.rs.in",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_needs_the_compiler_that_the_library_needs() {
        let root = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        assert!(root.expect("a checkout").contains(&format!("rust-version = \"{RUST}\"")));
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let name = Name::parse("my-game").expect("a good name");
        for (path, content) in Template::new(&name, "version = \"1\"").files() {
            assert!(!content.contains("{{") && !content.contains("}}"), "{path}");
        }
    }
}
