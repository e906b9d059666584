//! The session's connection, which is made again when it is needed and gone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use pnet::dynamic::{Client, Inbox};
use tokio::task::JoinHandle;

use super::words::Words;
use crate::{
    arguments::Repl,
    call,
    editor::Printer,
    exit::{Failure, explained},
    output::Output,
    text,
};

/// The session's connection.
pub(super) struct Link<'a> {
    arguments: &'a Repl,
    words: Arc<Words>,
    pushes: Pushes,
    open: Option<Open>,
}

struct Open {
    client: Client,
    /// Shows what the server sends.
    shows: JoinHandle<()>,
}

impl<'a> Link<'a> {
    pub(super) fn new(arguments: &'a Repl, words: Arc<Words>, printer: Option<Printer>, output: Output) -> Self {
        Self { arguments, words, pushes: Pushes { printer, output, lost: Arc::default() }, open: None }
    }

    /// What stands before the line.
    pub(super) fn prompt(&self) -> String {
        match &self.open {
            Some(open) if !open.client.is_closed() => format!("{}> ", text::escape(open.client.protocol())),
            _ => "not connected> ".to_owned(),
        }
    }

    /// The connection; a new one, if there is none or it is gone.
    pub(super) async fn client(&mut self) -> Result<Client, Failure> {
        if let Some(open) = self.open.as_ref().filter(|open| !open.client.is_closed()) {
            return Ok(open.client.clone());
        }
        let (client, inbox) = self.arguments.target.connect(self.arguments.timeout).await?;
        self.words.learn(&client);
        let shows = tokio::spawn(self.pushes.clone().show(client.clone(), inbox));
        if let Some(before) = self.open.replace(Open { client: client.clone(), shows }) {
            before.shows.abort();
        }
        Ok(client)
    }

    /// Ends the connection in good order, and shows what the server has sent before it ended.
    pub(super) async fn close(self) {
        if let Some(open) = self.open {
            open.client.close().await;
            // It ends when all of it is shown.
            let _ = open.shows.await;
        }
    }
}

/// Shows what the server sends on its own.
#[derive(Clone)]
struct Pushes {
    printer: Option<Printer>,
    output: Output,
    /// How many were not shown, since too many waited.
    lost: Arc<AtomicU64>,
}

impl Pushes {
    async fn show(self, client: Client, mut inbox: Inbox) {
        while let Some(received) = inbox.recv().await {
            let packet = call::pushed(received);
            match &self.printer {
                Some(_) => self.line(&format!("* {}", call::words(&self.output.plain(), &packet))),
                // The end of the reader ends the session where its own lines are printed.
                None => drop(
                    self.output
                        .event(&call::event("packet", &packet), || format!("* {}", call::words(&self.output, &packet))),
                ),
            }
        }
        let why = client.closed().await;
        if why.by() != pnet::ClosedBy::Here && self.printer.is_some() {
            self.line(&format!("* {}; the next command connects again", text::escape(&explained(&*why))));
        }
    }

    fn line(&self, line: &str) {
        let Some(printer) = &self.printer else { return };
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 && !printer.show(&format!("* {lost} packets not shown: they came too fast")) {
            self.lost.fetch_add(lost, Relaxed);
        }
        if !printer.show(line) {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}
