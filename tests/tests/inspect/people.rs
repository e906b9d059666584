//! Who is there, as the program says; and what nobody is told.

use std::{future::ready, sync::Arc};

use pnet::{
    Client, ServerBuilder,
    inspect::{Inspect, Snapshot},
    memory::MemoryServer,
};
use pnet_tests::{
    gate::{Gate, GateClient, GateServer, Pass, Porter, Visitor, Who},
    log::Log,
};

async fn look(
    word: &str,
    configure: impl FnOnce(ServerBuilder<GateServer>) -> ServerBuilder<GateServer>,
) -> (Snapshot, String) {
    let porter = Porter::new(|pass, _| ready(Ok(Visitor { name: pass.word })));
    let server: MemoryServer<Gate> = configure(pnet::serve(GateServer, porter)).in_memory();
    let builder = pnet::connect(GateClient, ()).credentials(&Pass::new(word));
    let client: Client<Gate> = server.connect_with(builder).await.expect("it is let in");
    client.call(Who {}).await.expect("answered");
    let outside = server.handle().inspector().snapshot();
    let inside = client.inspector().snapshot();
    let texts = format!("{outside:?} {inside:?} {:?} {:?}", server.handle().inspector(), client.inspector());
    (outside, texts)
}

fn person(snapshot: &Snapshot) -> Option<&str> {
    snapshot.connections[0].person.as_deref()
}

#[tokio::test]
async fn nobody_is_told_who_is_there_unless_the_program_says() {
    let (seen, texts) = look("tortoise", |builder| builder).await;
    assert_eq!(person(&seen), None);
    assert!(!texts.contains("tortoise"), "{texts}");
}

#[tokio::test]
async fn the_program_says_who_is_there() {
    let named = |visitor: &Visitor| format!("visitor {}", visitor.name.len());
    let (seen, texts) = look("tortoise", |builder| builder.person(named)).await;
    assert_eq!(person(&seen), Some("visitor 8"));
    assert!(!texts.contains("tortoise"), "{texts}");
    // Another type than that of the users says nothing.
    let (seen, _) = look("tortoise", |builder| builder.person(|number: &u32| number.to_string())).await;
    assert_eq!(person(&seen), None);
}

#[tokio::test]
async fn a_long_name_is_cut_between_characters() {
    let (seen, _) = look("x", |builder| builder.person(|_: &Visitor| "é".repeat(100))).await;
    assert_eq!(person(&seen), Some("é".repeat(32).as_str()));
    let (seen, _) = look("x", |builder| builder.person(|_: &Visitor| format!("x{}", "é".repeat(100)))).await;
    assert_eq!(person(&seen).map(str::len), Some(63));
    let (seen, _) = look("x", |builder| builder.person(|_: &Visitor| String::new())).await;
    assert_eq!(person(&seen), Some(""));
}

#[tokio::test]
async fn a_panic_leaves_no_name_and_nothing_in_the_log() {
    let (log, _kept) = Log::keep();
    let panics = |visitor: &Visitor| -> String { panic!("I do not like {}", visitor.name) };
    let (seen, _) = look("tortoise", |builder| builder.person(panics)).await;
    assert_eq!(person(&seen), None);
    assert!(log.text().contains("`person` panicked"), "{}", log.text());
    assert!(!log.text().contains("tortoise"), "{}", log.text());
}

#[tokio::test]
async fn it_is_asked_once_for_each_connection() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asks = Arc::clone(&asked);
    let named = move |_: &Visitor| {
        asks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        String::from("somebody")
    };
    let (seen, _) = look("x", |builder| builder.person(named)).await;
    assert_eq!((person(&seen), asked.load(std::sync::atomic::Ordering::Relaxed)), (Some("somebody"), 1));
}
