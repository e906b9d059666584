//! The name that was probably meant.

/// The nearest of the names, if one is near: at most a third of the letters differ, and the case of none counts.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let farthest = word.chars().count().div_ceil(3);
    // A name is compared if it is not much longer: a word may be as long as a line.
    names
        .into_iter()
        .filter(|name| name.len().abs_diff(word.len()) <= farthest)
        .map(|name| (strsim::osa_distance(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= farthest)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["LOGIN", "SAY", "TELL", "WHO"];
        assert_eq!(nearest("say", names), Some("SAY"));
        assert_eq!(nearest("LOGNI", names), Some("LOGIN"));
        assert_eq!(nearest("TEL", names), Some("TELL"));
        assert_eq!(nearest("SUBSCRIBE", names), None);
        assert_eq!(nearest("", names), None);
    }
}
