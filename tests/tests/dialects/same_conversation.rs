//! A conversation is the same in both dialects: the handlers see the same values in the same order, and so do the callers.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use pnet::{Bytes, CallError, Client, Dialect, memory::MemoryServer};
use proptest::{collection, prelude::*, test_runner::TestCaseResult};
use tokio::runtime::Runtime;

use super::{
    support::settle,
    variety::{
        Answer, Ask, Bad, Diary, Judge, Loose, Nod, Note, Part, Seen, Tell, Touch, Variety, VarietyClient,
        VarietyServer, loose_fields, part, text,
    },
};

/// What a client does next.
#[derive(Clone, Debug)]
enum Step {
    Tell(Part),
    Note(String, Vec<u8>),
    Nod,
    Loose(BTreeMap<String, Option<f64>>),
    Ask(Part),
    Judge(bool, Part),
    Touch(Option<u8>),
    /// Waits for all answers that are due.
    Collect,
    /// Lets everybody else go on.
    Rest,
}

/// What a caller got.
#[derive(Debug, PartialEq)]
enum Got {
    Answer(Part),
    Bad(Part),
    Done,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => part().prop_map(Step::Tell),
        1 => (text(), collection::vec(any::<u8>(), 0..2_000)).prop_map(|(text, data)| Step::Note(text, data)),
        1 => Just(Step::Nod),
        1 => loose_fields().prop_map(Step::Loose),
        3 => part().prop_map(Step::Ask),
        2 => (any::<bool>(), part()).prop_map(|(good, part)| Step::Judge(good, part)),
        1 => any::<Option<u8>>().prop_map(Step::Touch),
        1 => Just(Step::Collect),
        1 => Just(Step::Rest),
    ]
}

/// Goes through the steps; what the calls were answered with, in the order in which they were made.
async fn talk(client: &Client<Variety>, steps: Vec<Step>) -> Vec<Got> {
    let mut due = Vec::new();
    let mut got = Vec::new();
    for step in steps {
        match step {
            Step::Tell(part) => client.send(Tell { part }).await.expect("is sent"),
            Step::Note(text, data) => {
                let note = Note { text: Cow::Borrowed(&text), data: Bytes::from(&data[..]) };
                client.send(note).await.expect("is sent");
            }
            Step::Nod => client.send(Nod {}).await.expect("is sent"),
            Step::Loose(more) => client.send(Loose { more }).await.expect("is sent"),
            Step::Ask(part) => {
                let call = client.call(Ask { part });
                due.push(tokio::spawn(async move { answer(call.await) }));
            }
            Step::Judge(good, part) => {
                let call = client.call(Judge { good, part });
                due.push(tokio::spawn(async move {
                    match call.await {
                        Err(CallError::Declared(Bad { part })) => Got::Bad(part),
                        other => answer(other),
                    }
                }));
            }
            Step::Touch(n) => {
                let call = client.call(Touch { n });
                due.push(tokio::spawn(async move {
                    call.await.expect("is answered");
                    Got::Done
                }));
            }
            Step::Collect => {
                for call in due.drain(..) {
                    got.push(call.await.expect("no panic"));
                }
            }
            Step::Rest => settle().await,
        }
        // A call is made when it is first polled.
        tokio::task::yield_now().await;
    }
    for call in due {
        got.push(call.await.expect("no panic"));
    }
    // What was sent last has no answer to wait for.
    client.call(Touch { n: None }).await.expect("is answered");
    got
}

fn answer<E: std::fmt::Debug>(answer: Result<Answer, CallError<E>>) -> Got {
    Got::Answer(answer.expect("is answered").part)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

async fn connect(server: &MemoryServer<Variety>, dialect: Dialect) -> (Client<Variety>, Arc<Diary>) {
    let diary = Arc::new(Diary::default());
    let builder = pnet::connect(VarietyClient, Arc::clone(&diary)).dialect(dialect);
    (server.connect_with(builder).await.expect("memory connects"), diary)
}

/// Also counts the signs of zeros, which count for nothing when floats are compared.
fn same<T: PartialEq + std::fmt::Debug>(one: &[T], other: &[T]) -> TestCaseResult {
    prop_assert_eq!(one, other);
    let signs = |all: &[T]| format!("{all:?}").matches("-0.0").count();
    prop_assert_eq!(signs(one), signs(other));
    Ok(())
}

async fn one_after_the_other(steps: Vec<Step>) -> TestCaseResult {
    let diary = Arc::new(Diary::default());
    let server = pnet::memory::serve(VarietyServer, Arc::clone(&diary));
    let mut seen = Vec::new();
    for dialect in [Dialect::Native, Dialect::Json] {
        let (client, ui) = connect(&server, dialect).await;
        let got = talk(&client, steps.clone()).await;
        settle().await;
        client.close().await;
        settle().await;
        seen.push((diary.take(), got, ui.take()));
    }
    let [(handled, got, pushed), (json_handled, json_got, json_pushed)] = &seen[..] else { unreachable!("two") };
    same(handled, json_handled)?;
    same(got, json_got)?;
    same(pushed, json_pushed)?;
    // And what the handlers saw is what was sent.
    let sent: Vec<_> = steps.into_iter().filter_map(seen_of).chain([Seen::Touch(None)]).collect();
    same(handled, &sent)?;
    let told = handled.iter().filter(|seen| matches!(seen, Seen::Tell(_))).count();
    prop_assert_eq!(pushed.len(), told);
    prop_assert!(server.hub().is_empty());
    Ok(())
}

fn seen_of(step: Step) -> Option<Seen> {
    Some(match step {
        Step::Tell(part) => Seen::Tell(part),
        Step::Note(text, data) => Seen::Note(text, data),
        Step::Nod => Seen::Nod,
        Step::Loose(more) => Seen::Loose(more),
        Step::Ask(part) => Seen::Ask(part),
        Step::Judge(good, part) => Seen::Judge(good, part),
        Step::Touch(n) => Seen::Touch(n),
        Step::Collect | Step::Rest => return None,
    })
}

async fn all_at_once(conversations: Vec<Vec<Step>>) -> TestCaseResult {
    let diary = Arc::new(Diary::default());
    let server = pnet::memory::serve(VarietyServer, Arc::clone(&diary));
    let mut clients = Vec::new();
    for index in 0..conversations.len() {
        clients.push(connect(&server, if index % 2 == 0 { Dialect::Native } else { Dialect::Json }).await);
    }
    let talks = clients.iter().zip(conversations).map(|((client, _), steps)| {
        let client = client.clone();
        tokio::spawn(async move { talk(&client, steps).await })
    });
    for talk in talks.collect::<Vec<_>>() {
        talk.await.expect("no panic");
    }
    settle().await;
    let told: Vec<_> = diary
        .take()
        .into_iter()
        .filter_map(|seen| if let Seen::Tell(part) = seen { Some(Seen::Told(part)) } else { None })
        .collect();
    for (client, ui) in clients {
        prop_assert_eq!(ui.len(), told.len());
        same(&ui.take(), &told)?;
        client.close().await;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn one_client_says_the_same_in_both_dialects(steps in collection::vec(step(), 0..40)) {
        runtime().block_on(one_after_the_other(steps))?;
    }

    #[test]
    fn clients_of_both_dialects_hear_the_same(conversations in collection::vec(collection::vec(step(), 0..12), 4)) {
        runtime().block_on(all_at_once(conversations))?;
    }
}
