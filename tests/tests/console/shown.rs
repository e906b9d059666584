//! What a console has said, without what is different each time.

use serde_json::Value;

use super::hall::Hall;

/// Puts names for ids, and words for ports, times and sizes.
pub(crate) fn normal(text: &str, hall: &Hall) -> String {
    let mut text = text.to_owned();
    for (id, name) in hall.ids().iter().zip(["NATIVE", "JSON", "TLS", "OLD"]) {
        text = text.replace(id, &format!("<{name}>")).replace(&id[..8], &format!("<{name}>"));
    }
    text = text.replace(&hall.folder.file("").display().to_string(), "<FOLDER>/");
    text.split_inclusive('\n').map(normal_line).collect()
}

fn normal_line(line: &str) -> String {
    let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
    if let Ok(value) = serde_json::from_str::<Value>(line)
        && value.is_object()
    {
        return format!("{}{end}", normal_value(value));
    }
    if line.starts_with("process ") || line.starts_with("runtime ") {
        return format!("{}  …{end}", &line[..7]);
    }
    let mut words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    if let [_, _, "connections" | "bytes" | "runs", used, _] = &mut *words {
        // Of a table of limits: what is used of them.
        *used = "N";
    }
    let mut shown: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).map_or("", |word| word.trim_end_matches([',', ';', ')']));
        let is_number = word.trim_matches('~').parse::<f64>().is_ok();
        let is_size = is_number && matches!(next, "ms" | "B" | "kB" | "MB" | "s");
        shown.push(if is_size { "N".to_owned() } else { normal_word(word) });
    }
    let indent = if line.starts_with("  ") { "  " } else { "" };
    format!("{indent}{}{end}", shown.join(" "))
}

fn normal_word(word: &str) -> String {
    let ages = ["s", "m", "h"];
    let is_age = ages.iter().any(|unit| {
        word.strip_suffix(unit).is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
    });
    if is_age {
        return "AGE".to_owned();
    }
    if word == "kB" || word == "MB" {
        return "B".to_owned();
    }
    if word.starts_with("SHA256:") {
        return "SHA256:KEY".to_owned();
    }
    let Some((before, after)) = word.split_once("127.0.0.1:") else { return word.to_owned() };
    let rest = after.trim_start_matches(|char: char| char.is_ascii_digit());
    format!("{before}127.0.0.1:PORT{rest}")
}

/// The same of JSON.
fn normal_value(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let is_time = ["_ms", "_us"].iter().any(|unit| name.ends_with(unit)) && !name.starts_with("max");
                let is_size =
                    ["bytes", "memory", "tasks", "workers", "waiting", "threads", "samples", "used"].contains(&&*name);
                let value = if is_time || is_size { Value::from("N") } else { normal_value(value) };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(normal_value).collect(),
        Value::String(text) => Value::from(text.split(' ').map(normal_word).collect::<Vec<_>>().join(" ")),
        other => other,
    }
}
