//! The protocol that UI cases use, so that each of them shows its mistake and nothing else.

use std::borrow::Cow;

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

/// Answered with [`Welcome`] or [`Denied`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Login {
    /// A name.
    pub user: String,
}

/// The answer to [`Login`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Welcome {
    /// Words of the day.
    pub motd: String,
}

/// The error of [`Login`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Denied;

/// One-way, and borrows.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    /// What is said.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Answered with [`Sum`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Add {
    /// One number.
    pub a: i64,
    /// And another.
    pub b: i64,
}

/// The answer to [`Add`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Sum {
    /// Both together.
    pub sum: i64,
}

/// What others said.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Said {
    /// What was said.
    pub text: String,
}

/// Asked by the server.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Confirm;

/// The answer to [`Confirm`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it is so.
    pub yes: bool,
}

protocol! {
    /// The sample.
    pub Chat {
        client { Login -> Result<Welcome, Denied>, Say<'_>, Add -> Sum }
        server { Said, Confirm -> Answer }
    }
}

protocol! {
    /// Two packets without answers, so that a service is short.
    pub Small {
        client { Said, Sum }
        server { Said }
    }
}

protocol! {
    /// One packet, with an answer.
    pub Math {
        client { Add -> Sum }
        server { }
    }
}

/// Answered with a stream of [`Tick`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Watch {
    /// How many.
    pub count: u32,
}

/// An item of the answer to [`Watch`].
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Tick {
    /// Which one.
    pub n: u32,
}

protocol! {
    /// One packet, answered with a stream, on either side.
    pub Clock {
        client { Watch -> stream Tick }
        server { Watch -> stream Result<Tick, Denied> }
    }
}

/// Clients that show who they are, and clients that show nothing.
pub mod gate {
    use pnet::{Packet, protocol};
    use serde::{Deserialize, Serialize};

    /// A packet without an answer.
    #[derive(Debug, Packet, Serialize, Deserialize)]
    pub struct Ask {}

    /// What clients show.
    #[derive(Debug, Serialize, Deserialize)]
    pub struct Login {
        /// The name.
        pub name: String,
    }

    /// Who it is.
    #[derive(Debug)]
    pub struct User {
        /// The name.
        pub name: String,
    }

    protocol! {
        /// Clients show a [`Login`].
        pub Gate {
            credentials Login;
            client { Ask }
        }
    }

    protocol! {
        /// Clients show nothing.
        pub Plain {
            client { Ask }
        }
    }
}
