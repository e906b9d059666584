//! Handlers that are run without a peer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::town::{Gated, GatedServer, answer, serve};
use crate::{
    calls::json::Json,
    inspect::Inspect,
    memory::MemoryServer,
    operate::{TriggerError, Triggered},
};

fn text(triggered: Result<Triggered, TriggerError>) -> String {
    triggered.map(|done| panic!("it is an error, not {done:?}")).unwrap_or_else(|error: TriggerError| error.to_string())
}

#[tokio::test]
async fn every_kind_of_answer_comes_back() {
    let town = serve();
    assert_eq!(answer(town.run("ADD", json!({"a": 1, "b": 2})).await), json!({"sum": 3}));
    assert_eq!(answer(town.run("DIVIDE", json!({"a": 9, "b": 3})).await), json!({"sum": 3}));
    let touched = town.run("TOUCH", json!({})).await.expect("it is handled");
    assert!(matches!(&touched, Triggered::Answer(json) if json.action() == "pnet.done" && json.data() == &Value::Null));
    let remembered = town.run("REMEMBER", json!({"word": "bread"})).await.expect("it is handled");
    assert!(matches!(remembered, Triggered::Done));
    assert_eq!(town.book.lines(), ["bread"], "neither a connect nor a disconnect handler has run");
}

#[tokio::test]
async fn a_declared_error_is_one() {
    let town = serve();
    let error = town.run("DIVIDE", json!({"a": 7, "b": 0})).await.expect_err("nobody divides by zero");
    let TriggerError::Declared(json) = error else { panic!("{error:?}") };
    assert_eq!(json, Json::new("BY_ZERO", json!({"a": 7})));
}

#[tokio::test]
async fn failures_come_with_code_and_text() {
    let town = serve();
    for (how, code, text) in [
        ("public", "no-luck", "there was no luck"),
        ("internal", "internal", "the cellar is flooded"),
        ("panic", "internal", "handler `fail` panicked: the roof is gone"),
    ] {
        let error = town.run("FAIL", json!({"how": how})).await.expect_err("it fails");
        let TriggerError::Failed { code: found, text: said } = &error else { panic!("{error:?}") };
        assert_eq!((found.as_str(), said.as_str()), (code, text));
        assert_eq!(error.to_string(), format!("the handler failed: {text} ({code})"));
    }
    assert_eq!(answer(town.run("ADD", json!({"a": 1, "b": 1})).await), json!({"sum": 2}), "and others go on");
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let town = serve();
    for (data, expected) in [
        (
            json!({"a": 1, "b": "2"}),
            "the data does not fit `ADD`: `data.b`: an integer is wanted, and this is a string",
        ),
        (json!({"a": 1}), "the data does not fit `ADD`: `data.b`"),
        (json!([]), "the data does not fit `ADD`: `data`"),
    ] {
        let said = text(town.run("ADD", data).await);
        assert!(said.starts_with(expected), "{said}");
    }
    assert!(town.book.lines().is_empty());
}

#[tokio::test]
async fn an_unknown_action_lists_the_nearest() {
    let town = serve();
    for (action, expected) in [
        ("AD", "nothing here handles an action `AD`: `ADD`?"),
        ("WHOAM", "nothing here handles an action `WHOAM`: `WHOAMI` or `WHOAMI_NOW`?"),
        ("ELEPHANT", "nothing here handles an action `ELEPHANT`"),
        ("HINT", "`HINT` is sent by this side, and handled by the other one: use `send` or `broadcast`"),
        ("x\u{1b}[31m", r"nothing here handles an action `x\u{1b}[31m`"),
    ] {
        assert_eq!(text(town.run(action, json!({})).await), expected);
    }
}

#[tokio::test]
async fn a_handler_that_touches_its_peer_asks_for_one() {
    let town = serve();
    for action in ["WHOAMI", "WHOAMI_NOW", "BADGE", "GUEST"] {
        let error = town.run(action, json!({})).await.expect_err("there is no peer");
        assert!(matches!(error, TriggerError::NeedsPeer { action: found } if found == action), "{action}: {error:?}");
        assert_eq!(error.to_string(), format!("the handler of `{action}` needs a peer: say `as ID`"));
    }
    // Who has one is the same handler.
    let (client, _) = town.client().await;
    let conn = town.conn();
    assert_eq!(answer(town.run_as(&conn, "WHOAMI", json!({})).await), json!({"name": client.id().to_string()}));
}

#[tokio::test]
async fn a_handler_that_asks_who_is_there_needs_a_peer() {
    let server: MemoryServer<Gated> = pnet::serve(GatedServer, ()).in_memory();
    let inspector = server.inspector();
    for action in ["WHOAMI", "GUEST"] {
        let error = inspector.trigger(&Json::new(action, json!({})), None, "ada").await.expect_err("nobody is there");
        assert!(matches!(error, TriggerError::NeedsPeer { .. }), "{action}: {error:?}");
    }
    let sum = inspector.trigger(&Json::new("ADD", json!({"a": 2, "b": 2})), None, "ada").await;
    assert_eq!(answer(sum), json!({"sum": 4}));

    let pass = super::town::Pass { name: "grace".to_owned() };
    let client =
        server.connect_with(pnet::connect(super::town::GatedUi, ()).credentials(&pass)).await.expect("she is let in");
    let conn = inspector.conns().pop().expect("there is a connection");
    for action in ["WHOAMI", "GUEST"] {
        let name = inspector.trigger(&Json::new(action, json!({})), Some(&conn), "ada").await;
        assert_eq!(answer(name), json!({"name": "grace"}));
    }
    drop(client);
}

#[tokio::test]
async fn nobody_is_connected_by_it_and_everybody_is_reached() {
    let town = serve();
    let (client, ui) = town.client().await;
    let heard = tokio::spawn({
        let ui = Arc::clone(&ui);
        async move { super::town::until("it is heard", || ui.lines() == ["fire"]).await }
    });
    town.run("SHOUT", json!({"text": "fire"})).await.expect("it is handled");
    heard.await.expect("it is heard");
    assert_eq!(town.inspector.conns().len(), 1);
    assert_eq!(town.inspector.snapshot().connections.len(), 1);
    drop(client);
}
