//! Names: of actions from types, and of fields and variants as serde renames them.

/// The action of a packet type: words in capitals, joined by `_`.
///
/// A word starts at a capital after a small letter or digit, and at the last capital of a run of them before a small
/// letter, so that acronyms stay whole. Digits belong to the word before them: `Add2` is `ADD2`, `HTTP2Frame` is `HTTP2_FRAME`.
pub(crate) fn shouty_snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut action = String::new();
    for (i, &c) in chars.iter().enumerate() {
        if i > 0 && c.is_uppercase() {
            let before = chars[i - 1];
            let after_is_small = chars.get(i + 1).is_some_and(|c| c.is_lowercase());
            if before != '_' && (!before.is_uppercase() || after_is_small) {
                action.push('_');
            }
        }
        action.extend(c.to_uppercase());
    }
    action
}

/// serde's `rename_all`, for fields and for variants: one of [`RULES`].
#[derive(Clone, Copy)]
pub(crate) struct Rename(&'static str);

impl Rename {
    pub(crate) fn parse(rule: &str) -> Option<Self> {
        RULES.into_iter().find(|known| *known == rule).map(Self)
    }

    /// A field, which is written in snake_case.
    pub(crate) fn field(self, name: &str) -> String {
        match self.0 {
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_ascii_uppercase(),
            "PascalCase" => name.split('_').map(|word| first(word, char::to_ascii_uppercase)).collect(),
            "camelCase" => first(&Self("PascalCase").field(name), char::to_ascii_lowercase),
            "kebab-case" => name.replace('_', "-"),
            "SCREAMING-KEBAB-CASE" => name.to_ascii_uppercase().replace('_', "-"),
            _ => name.to_owned(),
        }
    }

    /// A variant, which is written in PascalCase.
    pub(crate) fn variant(self, name: &str) -> String {
        let snake = || {
            let mut snake = String::new();
            for (i, c) in name.char_indices() {
                if i > 0 && c.is_uppercase() {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            snake
        };
        match self.0 {
            "lowercase" => name.to_ascii_lowercase(),
            "UPPERCASE" => name.to_ascii_uppercase(),
            "camelCase" => first(name, char::to_ascii_lowercase),
            "snake_case" => snake(),
            "SCREAMING_SNAKE_CASE" => snake().to_ascii_uppercase(),
            "kebab-case" => snake().replace('_', "-"),
            "SCREAMING-KEBAB-CASE" => snake().to_ascii_uppercase().replace('_', "-"),
            _ => name.to_owned(),
        }
    }
}

/// A word with another first letter.
fn first(word: &str, change: fn(&char) -> char) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| change(&first).to_string() + chars.as_str())
}

const RULES: [&str; 8] = [
    "lowercase",
    "UPPERCASE",
    "PascalCase",
    "camelCase",
    "snake_case",
    "SCREAMING_SNAKE_CASE",
    "kebab-case",
    "SCREAMING-KEBAB-CASE",
];

#[cfg(test)]
mod tests {
    use super::{Rename, shouty_snake};

    #[test]
    fn actions_keep_acronyms_and_digits_in_their_word() {
        let check = |name: &str, action: &str| assert_eq!(shouty_snake(name), action);
        check("Login", "LOGIN");
        check("PlayerMove", "PLAYER_MOVE");
        check("HTTPRequest", "HTTP_REQUEST");
        check("GetURL", "GET_URL");
        check("Add2", "ADD2");
        check("HTTP2Frame", "HTTP2_FRAME");
        check("Vec3Add", "VEC3_ADD");
        check("V2", "V2");
        check("X", "X");
        check("Foo_Bar", "FOO_BAR");
        check("say", "SAY");
        check("Übung", "ÜBUNG");
    }

    #[test]
    fn renames_as_serde_does() {
        let rename = |rule: &str, field: &str, variant: &str| {
            let rule = Rename::parse(rule).unwrap();
            assert_eq!((rule.field("very_tasty"), rule.variant("VeryTasty")), (field.to_owned(), variant.to_owned()));
        };
        rename("lowercase", "very_tasty", "verytasty");
        rename("UPPERCASE", "VERY_TASTY", "VERYTASTY");
        rename("PascalCase", "VeryTasty", "VeryTasty");
        rename("camelCase", "veryTasty", "veryTasty");
        rename("snake_case", "very_tasty", "very_tasty");
        rename("SCREAMING_SNAKE_CASE", "VERY_TASTY", "VERY_TASTY");
        rename("kebab-case", "very-tasty", "very-tasty");
        rename("SCREAMING-KEBAB-CASE", "VERY-TASTY", "VERY-TASTY");
    }
}
