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

/// serde's `rename_all`, for fields and for variants.
#[derive(Clone, Copy)]
pub(crate) enum Rename {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Rename {
    pub(crate) fn parse(rule: &str) -> Option<Self> {
        Some(match rule {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// A field, which is written in snake_case.
    pub(crate) fn field(self, name: &str) -> String {
        match self {
            Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => {
                let mut pascal = String::new();
                let mut capital = true;
                for c in name.chars() {
                    if c == '_' {
                        capital = true;
                    } else {
                        pascal.push(if capital { c.to_ascii_uppercase() } else { c });
                        capital = false;
                    }
                }
                pascal
            }
            Self::Camel => small_first(&Self::Pascal.field(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// A variant, which is written in PascalCase.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => small_first(name),
            Self::Snake => {
                let mut snake = String::new();
                for (i, c) in name.char_indices() {
                    if i > 0 && c.is_uppercase() {
                        snake.push('_');
                    }
                    snake.push(c.to_ascii_lowercase());
                }
                snake
            }
            Self::ScreamingSnake => Self::Snake.variant(name).to_ascii_uppercase(),
            Self::Kebab => Self::Snake.variant(name).replace('_', "-"),
            Self::ScreamingKebab => Self::ScreamingSnake.variant(name).replace('_', "-"),
        }
    }
}

fn small_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

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
