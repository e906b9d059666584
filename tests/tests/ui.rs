//! What the compiler says about mistakes: `tests/ui/<mistake>/<case>.rs`, each with its `.expect`.
//!
//! Compared are, for every error, the first line of the message, the place of the caret and the text under it, and with them
//! the number of errors; the rest moves with the toolchain. `PNET_UI=bless cargo test --test ui` writes the `.expect` files
//! anew, and `PNET_UI=part-of-a-path` runs some cases only.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

#[test]
fn mistakes_are_reported_once_in_words_at_the_guilty_token() {
    let mode = env::var("PNET_UI").unwrap_or_default();
    let crates = Crates::build();
    let cases: Vec<PathBuf> =
        cases().into_iter().filter(|case| mode == "bless" || case.to_string_lossy().contains(&mode)).collect();
    assert!(!cases.is_empty(), "no case has `{mode}` in its path");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = crates.check(case);
                    let expect = case.with_extension("expect");
                    if mode == "bless" {
                        fs::write(expect, found).unwrap();
                        continue;
                    }
                    let expected = fs::read_to_string(expect).unwrap_or_default();
                    if found != expected {
                        let text = format!("{}\nexpected:\n{expected}found:\n{found}", case.display());
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} cases differ\n\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for mistake in fs::read_dir(root().join("ui")).unwrap() {
        for case in fs::read_dir(mistake.unwrap().path()).unwrap() {
            let case = case.unwrap().path();
            if case.extension().is_some_and(|extension| extension == "rs") {
                cases.push(case);
            }
        }
    }
    cases.sort();
    cases
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates that cases use, compiled as far as other crates need them.
struct Crates {
    externs: BTreeMap<String, PathBuf>,
    deps: PathBuf,
    scratch: PathBuf,
}

impl Crates {
    fn build() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["check", "--offline", "--quiet", "--message-format=json", "-p", "pnet-sample", "-p", "pnet-third"])
            .current_dir(root())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        let mut externs = BTreeMap::new();
        for line in stdout.lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            let name = message["target"]["name"].as_str().unwrap_or_default();
            if message["reason"] != "compiler-artifact" || !["pnet", "serde", "sample", "third"].contains(&name) {
                continue;
            }
            for file in message["filenames"].as_array().unwrap() {
                let file = PathBuf::from(file.as_str().unwrap());
                if file.extension().is_some_and(|extension| extension == "rmeta") {
                    externs.insert(name.to_owned(), file);
                }
            }
        }
        let deps = externs["pnet"].parent().unwrap().to_owned();
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Self { externs, deps, scratch }
    }

    /// The errors of a case, one line each.
    fn check(&self, case: &Path) -> String {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args(["--edition=2024", "--crate-type=lib", "--crate-name=case", "--emit=metadata", "--error-format=json"])
            .arg("-o")
            .arg(self.scratch.join(format!("{}.rmeta", case.file_stem().unwrap().to_string_lossy())))
            .arg("-L")
            .arg(format!("dependency={}", self.deps.display()));
        for (name, file) in &self.externs {
            rustc.arg("--extern").arg(format!("{name}={}", file.display()));
        }
        let output = rustc.arg(case).current_dir(root()).output().unwrap();
        let source = fs::read_to_string(case).unwrap();
        let mut found: Vec<(u64, u64, String)> = Vec::new();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            if message["level"] != "error" || message["message"].as_str().unwrap().starts_with("aborting due to") {
                continue;
            }
            let text = message["message"].as_str().unwrap().lines().next().unwrap_or_default();
            let primary = message["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true);
            found.push(match primary {
                Some(span) => {
                    let mut span = span;
                    // A macro's own place: the caret is shown where the macro was called.
                    while span["file_name"].as_str() != case.to_str() && span["expansion"].is_object() {
                        span = &span["expansion"]["span"];
                    }
                    let is_here = span["file_name"].as_str() == case.to_str();
                    let start = usize::try_from(span["byte_start"].as_u64().unwrap()).unwrap();
                    let end = usize::try_from(span["byte_end"].as_u64().unwrap()).unwrap();
                    let token = source.get(start..end).filter(|_| is_here).unwrap_or("(elsewhere)");
                    let token = token.lines().next().unwrap_or_default().to_owned();
                    // The place in another file moves with that file.
                    let place = |name: &str| if is_here { span[name].as_u64().unwrap() } else { 0 };
                    (place("line_start"), place("column_start"), format!("`{token}` {text}"))
                }
                None => (0, 0, text.to_owned()),
            });
        }
        found.sort();
        let mut lines = String::new();
        for (line, column, text) in found {
            writeln!(lines, "{line}:{column} {text}").unwrap();
        }
        if lines.is_empty() {
            lines.push_str("no error\n");
        }
        lines
    }
}
