//! A protocol whose clients show something to be let in, and a server that looks at it as each test wants.

use std::{future::ready, pin::Pin};

use pnet::{Arrival, Closed, Packet, Refused, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// What clients show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Whatever the test wants.
    pub word: String,
}

impl Pass {
    /// With this word.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self { word: word.to_owned() }
    }
}

/// Asks who the server thinks this client is.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Who {}

/// The name.
#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct You {
    /// The name.
    pub name: String,
}

protocol! {
    /// Clients that show a pass.
    pub Gate {
        credentials Pass;
        client { Who -> You }
    }
}

/// Who came in.
#[expect(clippy::exhaustive_structs, reason = "the tests make it")]
#[derive(Debug)]
pub struct Visitor {
    /// The name.
    pub name: String,
}

/// What became of one look at a pass.
pub type Looked = Pin<Box<dyn Future<Output = Result<Visitor, Refused>> + Send>>;

/// The state of the server: how it looks at passes, and what happens.
pub struct Porter {
    look: Box<dyn Fn(Pass, Arrival) -> Looked + Send + Sync>,
    events: Option<mpsc::UnboundedSender<String>>,
}

impl Porter {
    /// Lets in whom `look` does.
    pub fn new<F: Future<Output = Result<Visitor, Refused>> + Send + 'static>(
        look: impl Fn(Pass, Arrival) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { look: Box::new(move |pass, arrival| Box::pin(look(pass, arrival))), events: None }
    }

    /// Lets in who knows the word, under that name.
    #[must_use]
    pub fn wants(word: &'static str) -> Self {
        Self::new(move |pass, _| {
            let knows = pass.word == word;
            ready(if knows { Ok(Visitor { name: pass.word }) } else { Err("you do not know the word".into()) })
        })
    }

    /// Also tells what happens: who comes and goes.
    #[must_use]
    pub fn telling(self) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { events: Some(sender), ..self }, receiver)
    }

    fn tell(&self, event: String) {
        if let Some(events) = &self.events {
            let _ = events.send(event);
        }
    }
}

impl std::fmt::Debug for Porter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Porter").finish_non_exhaustive()
    }
}

#[action(authenticate)]
async fn look(pass: Pass, from: &Arrival, porter: &Porter) -> Result<Visitor, Refused> {
    (porter.look)(pass, from.clone()).await
}

#[action(connect)]
fn comes(visitor: &Visitor, porter: &Porter) {
    porter.tell(format!("{} comes", visitor.name));
}

#[action("WHO")]
fn who(_: Who, visitor: &Visitor) -> You {
    You { name: visitor.name.clone() }
}

#[action(disconnect)]
fn goes(visitor: &Visitor, _: &Closed, porter: &Porter) {
    porter.tell(format!("{} goes", visitor.name));
}

actions! {
    /// Looks at passes.
    pub server GateServer(Porter) for Gate: look, comes, who, goes
}

actions! {
    /// Shows one.
    pub client GateClient for Gate:
}
