//! What the log says of operators: who ran what, and nothing of the data.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::town::serve;
use crate::calls::json::Json;

/// Keeps all that is logged on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(log, "\n{}", event.metadata().level());
        event.record(&mut Fields(&mut log));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_operator_and_the_action_are_logged_and_the_data_never() {
    let log = Log::default();
    let _kept = tracing::subscriber::set_default(log.clone());
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let operator = "ada\n\u{1b}[31m";
    for conn in [None, Some(&conn)] {
        for (action, data) in [
            ("REMEMBER", json!({"word": "sesame"})),
            ("ADD", json!({"a": 777_001, "b": 1})),
            ("ADD", json!({"a": 777_001, "b": "sesame"})),
            ("DIVIDE", json!({"a": 777_001, "b": 0})),
            ("FAIL", json!({"how": "internal"})),
            ("SESAME", json!({})),
        ] {
            let _ = town.inspector.trigger(&Json::new(action, data), conn, operator).await;
        }
    }
    let text = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (words, times) in [
        (r#"operator="ada\n\u{1b}[31m" action="REMEMBER""#, 2),
        (r#"operator="ada\n\u{1b}[31m" action="ADD""#, 2),
        (r#"operator="ada\n\u{1b}[31m" action="DIVIDE""#, 2),
        (r#"operator="ada\n\u{1b}[31m" action="FAIL""#, 2),
        ("an operator runs a handler", 8),
        ("internal: the cellar is flooded", 2),
        ("777001", 0),
        ("777002", 0),
        ("sesame", 0),
        ("SESAME", 0),
        ("\u{1b}", 0),
    ] {
        assert_eq!(text.matches(words).count(), times, "{words:?} in {text}");
    }
    assert_eq!(text.matches(&format!("connection={}", client.id())).count(), 4, "{text}");
}
