//! The recorded texts: today's code writes exactly these, and reads them.
//!
//! `PNET_BLESS=1 cargo test -p pnet-tests --test schema` records them anew; that is right only together with a change of
//! `docs/schema.md`, and a change of what stands there already needs another format.

use pnet::Protocol;
use pnet_protocol::{document, handshake::ShapePolicy};

use crate::everything::Everything;

fn check(name: &str, text: &str) {
    let path = format!("{}/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    // Line ends, for people; nothing else is changed.
    let mut shown = format!("{text}\n");
    for begins in [r#"{"action""#, r#""server":["#, r#""types":{"#] {
        shown = shown.replace(&format!(",{begins}"), &format!(",\n{begins}"));
    }
    if std::env::var_os("PNET_BLESS").is_some() {
        std::fs::write(&path, &shown).expect("can be written");
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(recorded, shown, "{name}");
    let read = document::read(&recorded).expect("is a schema");
    assert_eq!(read.fingerprint, Everything::INFO.fingerprint);
}

#[test]
fn shapes_are_written_as_recorded() {
    let text = Everything::schema();
    check("schema.json", &text);
    let read = document::read(&text).expect("is a schema");
    let hashes = |info: &pnet_protocol::protocol::ProtocolInfo| {
        info.client.actions.iter().chain(info.server.actions).map(|action| action.hash).collect::<Vec<_>>()
    };
    assert_eq!(hashes(read), hashes(Everything::INFO));
}

#[test]
fn names_are_written_as_recorded() {
    check("schema-names.json", &document::write(Everything::INFO, ShapePolicy::Names));
}

/// Each example in the document is a schema, or a part of one as it stands in the recorded text.
#[test]
fn examples_of_the_document_are_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let blocks: Vec<_> = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest)).collect();
    let whole: Vec<_> = blocks.iter().filter(|block| block.contains("\"pnet-schema\"")).collect();
    assert!(!whole.is_empty(), "there is an example");
    for block in whole {
        document::read(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}
