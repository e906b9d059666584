//! `pnet new`: a project of three crates that compiles, runs and is tested as it stands.

mod name;
mod template;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::json;

use self::{name::Name, template::Template};
use crate::{
    arguments::New,
    exit::{Exit, Failure},
    output::{Output, Style},
    text,
};

pub(crate) fn run(arguments: &New, output: &Output) -> Result<Exit, Failure> {
    let name = Name::parse(&arguments.name).map_err(Failure::usage)?;
    let pnet = match &arguments.path_to_pnet {
        Some(checkout) => from_checkout(checkout)?,
        None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    };
    let here = std::env::current_dir()
        .map_err(|error| Failure::refused(format_args!("the current folder cannot be told: {error}")))?;
    let folder = here.join(name.as_str());
    let outer = workspace_around(&here);
    write(&Template::new(&name, &pnet), &folder)?;

    let event = json!({
        "event": "created",
        "name": name.as_str(),
        "path": folder.to_string_lossy(),
        "inside_workspace": outer.as_ref().map(|outer| outer.to_string_lossy()),
    });
    output.event(&event, || {
        let name = name.as_str();
        let title = output.paint(Style::Bold, &format!("{name}/"));
        format!("{title} is there: protocol/, server/ and client/. Now:\n  cd {name} && cargo test && cargo run")
    })?;
    if let Some(outer) = outer {
        output.note(&text::escape(&format!(
            "note: {} is a workspace. {name} has a [workspace] of its own and does not become a member of it; if its \
             `members` has a pattern that matches {name}, write \"{name}\" into its `exclude`.",
            outer.display(),
            name = name.as_str(),
        )));
    }
    Ok(Exit::DONE)
}

/// The dependency on a checkout of pnet, by its absolute path.
fn from_checkout(checkout: &Path) -> Result<String, Failure> {
    let shown = checkout.display();
    let manifest = checkout.join("pnet").join("Cargo.toml");
    let is_pnet = fs::read_to_string(&manifest)
        .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "name = \"pnetwork\""));
    if !is_pnet {
        return Err(Failure::usage(format_args!(
            "{shown} is no checkout of pnet: it has no pnet/Cargo.toml of `pnetwork`"
        )));
    }
    let folder = checkout
        .join("pnet")
        .canonicalize()
        .map_err(|error| Failure::usage(format_args!("the path of {shown} cannot be told: {error}")))?;
    let Some(path) = folder.to_str() else {
        return Err(Failure::usage(format_args!("{shown} is not UTF-8, which a manifest has to be")));
    };
    // A JSON string is one in TOML, too.
    Ok(format!("path = {}", json!(path)))
}

/// Writes the project, or nothing.
fn write(template: &Template, folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    fs::create_dir(folder).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(format_args!("{shown} exists already: nothing was written")),
        _ => Failure::refused(format_args!("cannot make {shown}: {error}")),
    })?;
    let written = template.files().try_for_each(|(path, content)| {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, content)
    });
    written.map_err(|error| {
        // It was made a moment ago, so nothing of anybody else is in it.
        let _ = fs::remove_dir_all(folder);
        Failure::refused(format_args!("cannot write into {shown}: {error}"))
    })
}

/// The manifest of the workspace that a folder is in.
fn workspace_around(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join("Cargo.toml")).find(|manifest| {
        fs::read_to_string(manifest)
            .is_ok_and(|manifest| manifest.lines().any(|line| line.trim().starts_with("[workspace")))
    })
}
