//! A snapshot as JSON: programs read it, so its names are recorded. `fields.txt` changes only on purpose.

use std::collections::BTreeSet;

use pnet::{inspect::Snapshot, memory};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer, Touch};
use serde_json::Value;

/// The paths of all fields; what is in a list is `[]`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_of) => {
            for (name, value) in fields_of {
                fields(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), found)),
        _ => {
            found.insert(path.trim_start_matches('.').to_owned());
        }
    }
}

#[tokio::test]
async fn the_names_of_its_fields_are_those_recorded() {
    let server = memory::serve::<_, Talk>(TalkServer, Book::default());
    let gone = server.connect(TalkClient, Book::default()).await.expect("connects");
    gone.close().await;
    let client = server.connect(TalkClient, Book::default()).await.expect("connects");
    client.call(Touch {}).await.expect("answered");
    let snapshot = pnet::inspect::Inspect::inspector(&server.handle()).snapshot();
    assert_eq!(snapshot.closes.len(), 1);
    let json = serde_json::to_value(&snapshot).expect("it is plain data");
    let mut found = BTreeSet::new();
    fields(&json, "", &mut found);
    let found: Vec<_> = found.into_iter().collect();
    let recorded: Vec<_> = include_str!("fields.txt").lines().collect();
    assert_eq!(found, recorded, "\n{}", found.join("\n"));
    // It comes back as it was.
    assert_eq!(serde_json::from_value::<Snapshot>(json).expect("it can be read"), snapshot);
}
