//! The Rust end of `.ci/sealed`: seals and opens what another program asks for, one JSON object a line, until its input ends.
//!
//! The first line that it prints says who it is: `{"me": …, "announcement": …}`. Then each line of input is answered by one:
//! `{"seal": text, "for": announcement, "whose": fingerprint, "signed": bool}` by `{"sealed": …}`, and
//! `{"open": sealed}` by `{"text": …, "from": fingerprint or null}`; either by `{"error": …}` where it cannot be done.

#![expect(clippy::print_stdout, reason = "another program reads it")]

use std::{
    error::Error,
    io::{BufRead, stdin},
};

use pnet::{Announcement, Fingerprint, Identity, Opener, Packet, Sealed, SealingKey, protocol};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Packet, Serialize, Deserialize)]
struct Note {
    text: String,
}

type SealedNote = Sealed<Note>;

protocol! {
    Post {
        client { SealedNote }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Request {
    Seal {
        seal: String,
        #[serde(rename = "for")]
        announcement: Announcement,
        whose: String,
        signed: bool,
    },
    Open {
        open: SealedNote,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (identity, key) = (Identity::generate_with(2048).await?, SealingKey::generate_with(3072).await?);
    let announcement = key.announce(&identity).await?;
    let opener = Opener::<Post>::new(&identity, key);
    println!("{}", json!({ "me": identity.fingerprint().to_string(), "announcement": announcement }));
    for (number, line) in stdin().lock().lines().enumerate() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Seal { seal, announcement, whose, signed } => {
                let signer = signed.then_some(&identity);
                self::seal(seal, &announcement, &whose.parse()?, signer).await.map(|sealed| json!({ "sealed": sealed }))
            }
            // Each from a source of its own, as this goes faster than one may.
            Request::Open { open } => opener.open(&open, &number).await.map_err(Into::into).map(|opened| {
                let from = opened.sender().map(|from| from.to_string());
                json!({ "text": opened.into_packet().text, "from": from })
            }),
        };
        let answer: Value = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
    }
    Ok(())
}

async fn seal(
    text: String,
    announcement: &Announcement,
    whose: &Fingerprint,
    signer: Option<&Identity>,
) -> Result<SealedNote, Box<dyn Error>> {
    let (note, key) = (Note { text }, announcement.verify(whose)?);
    Ok(match signer {
        Some(signer) => Sealed::seal_signed::<Post>(&note, &key, signer).await?,
        None => Sealed::seal::<Post>(&note, &key)?,
    })
}
