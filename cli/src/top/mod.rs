//! `pnet top`: a running program on the whole screen.
//!
//! [`feed`] takes samples of its console, [`model`] holds what is to be shown, [`view`] draws it, [`keys`] says what each key
//! does, and [`app`] ties them together. [`list`] is the table that all views share; [`connections`], [`actions`], [`limits`]
//! and [`faults`] say what is in each. Where there is no terminal, [`mod@print`] makes text.

mod actions;
mod app;
mod connections;
mod faults;
mod feed;
#[cfg(test)]
mod fixtures;
mod keys;
mod limits;
mod list;
mod model;
mod print;
mod rates;
mod terminal;
mod text;
mod theme;
mod view;

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use pnet::console::attach::Operator;

use self::{feed::Feed, list::Listing as _, model::Model, theme::Theme};
use crate::{
    arguments::Top,
    exit::{Exit, Failure},
    output::Output,
    runtime::{runtime, until_ctrl_c},
};

/// Shows the program until the user quits, or prints snapshots.
pub(crate) fn run(arguments: &Top, output: &Output) -> Result<Exit, Failure> {
    let every = arguments.every;
    if !(LEAST..=MOST).contains(&every) {
        return Err(Failure::usage("--every takes from 100ms to 1h"));
    }
    let mut model = Model::new(String::new(), every);
    if let Some(sort) = &arguments.sort
        && !model.connections.sort_by(sort)
    {
        let names = model.connections.names().join(", ");
        return Err(Failure::usage(format_args!("`{sort}` is no column; those there are: {names}")));
    }
    if let Some(filter) = &arguments.filter {
        model.connections.set_filter(filter);
    }
    let on_screen = io::stdout().is_terminal() && io::stdin().is_terminal();
    if output.is_json() || arguments.snapshots.is_some() || !on_screen {
        return until_ctrl_c(print(arguments, output, model));
    }
    let runtime = runtime(2)?;
    let result = runtime.block_on(show(arguments, output, model));
    // Nobody waits for the thread that reads the keys.
    runtime.shutdown_background();
    result
}

/// The pauses between samples that make sense: a screen is drawn ten times a second.
const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3600);

async fn attach(arguments: &Top, model: &mut Model) -> Result<Operator, Failure> {
    let operator = arguments.console.attach().await?;
    let about = operator.about().await?;
    model.name = if about.name.is_empty() { about.protocol } else { about.name };
    Ok(operator)
}

async fn show(arguments: &Top, output: &Output, mut model: Model) -> Result<Exit, Failure> {
    let operator = tokio::select! {
        operator = attach(arguments, &mut model) => operator?,
        () = pnet::ctrl_c() => return Err(Failure::interrupted()),
    };
    let feed = Feed::start(operator, arguments.console.clone(), model.every, model.wish());
    app::run(model, feed, Theme::new(output.has_colour(), has_blocks())).await
}

/// Prints so many snapshots, or one: as JSON lines, or as text.
async fn print(arguments: &Top, output: &Output, mut model: Model) -> Result<Exit, Failure> {
    let operator = attach(arguments, &mut model).await?;
    let wish = model.wish();
    if !output.is_json() {
        // Rates take two samples.
        model.apply(&feed::once(&operator, &wish).await?, Instant::now());
        tokio::time::sleep(model.every).await;
    }
    for nth in 0..arguments.snapshots.unwrap_or(1) {
        if nth > 0 {
            tokio::time::sleep(model.every).await;
        }
        let snapshot = feed::once(&operator, &wish).await?;
        model.apply(&snapshot, Instant::now());
        output.event(&snapshot, || print::page(&model))?;
    }
    Ok(Exit::DONE)
}

/// Whether the terminal shows more than ASCII, as the environment says it.
fn has_blocks() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    locale.is_some_and(|locale| locale.to_string_lossy().to_lowercase().replace('-', "").contains("utf8"))
}
