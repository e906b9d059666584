//! What a project may be called.

/// A name that packages, crates and folders can have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Takes a name, or says what is wrong with it.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let Some(first) = name.chars().next() else { return Err("a project needs a name".to_owned()) };
        if let Some(odd) = name.chars().find(|char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | '_'))) {
            let odd = odd.escape_default();
            return Err(format!("`{odd}` cannot be in a package's name: a name has letters a-z, digits, - and _"));
        }
        if !first.is_ascii_alphabetic() {
            return Err(format!("a package's name begins with a letter, and `{name}` does not"));
        }
        if name.len() > MAX_LENGTH {
            return Err(format!("a name of {} characters is too long: {MAX_LENGTH} are the most", name.len()));
        }
        let lower = name.to_ascii_lowercase().replace('-', "_");
        if KEYWORDS.contains(&&*lower) {
            return Err(format!("`{name}` is a word of the language: choose another name"));
        }
        if RESERVED.contains(&&*lower) {
            return Err(format!("`{name}` is the name of something else already: choose another"));
        }
        Ok(Self(name.to_owned()))
    }

    /// As a package is called.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As its crate is called in code.
    pub(super) fn ident(&self) -> String {
        self.0.replace('-', "_")
    }
}

/// With `-protocol` it has to be a package's name, which has 64 characters at most.
const MAX_LENGTH: usize = 50;

const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Crates that every program has, what the template depends on, cargo's own folders, and devices of Windows.
const RESERVED: [&str; 27] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "pnet",
    "pnetwork",
    "proc_macro",
    "serde",
    "std",
    "target",
    "test",
    "tokio",
    "aux",
    "com1",
    "com2",
    "com3",
    "com4",
    "con",
    "lpt1",
    "lpt2",
    "lpt3",
    "lpt4",
    "nul",
    "prn",
    "pnet_macros",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_told_why() {
        for (name, why) in [
            ("", "needs a name"),
            ("fn", "word of the language"),
            ("Async", "word of the language"),
            ("test", "something else"),
            ("pnet", "something else"),
            ("1st", "begins with a letter"),
            ("-x", "begins with a letter"),
            ("a b", "` ` cannot be"),
            ("../x", "`.` cannot be"),
            ("größe", "`\\u{f6}` cannot be"),
            ("a\u{1b}[31m", "`\\u{1b}` cannot be"),
        ] {
            let error = Name::parse(name).expect_err(name);
            assert!(error.contains(why), "{name:?}: {error}");
        }
        assert!(Name::parse(&"x".repeat(51)).is_err());
    }

    #[test]
    fn good_names_stay() {
        for (name, ident) in
            [("demo", "demo"), ("my-game", "my_game"), ("Game_2", "Game_2"), (&*"x".repeat(50), &*"x".repeat(50))]
        {
            let name = Name::parse(name).expect(name);
            assert_eq!(name.ident(), ident);
        }
    }
}
