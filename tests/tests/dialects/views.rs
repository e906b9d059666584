//! Answers that borrow: callers cannot tell a view from the packet that it shows, in neither dialect, and may read one as well.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc, time::Duration};

use pnet::{
    ByteBuf, Bytes, CallError, Client, Dialect, Failure, Packet, Schema, SendError, StreamSender, action, actions,
    protocol,
};
use pnet_protocol::{
    packet::{Codec, EncodeError},
    view::View,
};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Packet, Serialize, Deserialize)]
struct Add<'a> {
    a: i64,
    b: i64,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Sum {
    sum: i64,
    note: String,
}

/// Shown in two ways: with what may be either, and with references.
#[derive(Packet, Serialize)]
#[packet(view_of = Sum)]
struct SumView<'a> {
    sum: i64,
    note: Cow<'a, str>,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Sum)]
struct SumOf<'n, 's> {
    sum: &'n i64,
    note: &'s str,
}

/// For callers as well.
#[derive(Debug, Packet, Serialize, Deserialize)]
#[packet(view_of = Sum)]
struct SumSeen<'a> {
    sum: i64,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
struct Later<'a> {
    waits: bool,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
struct Echo<'a> {
    #[serde(borrow)]
    data: Bytes<'a>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
#[packet("PNG")]
struct Echoed {
    data: ByteBuf,
}

#[derive(Packet, Serialize, Deserialize)]
#[packet(view_of = Echoed)]
struct EchoedView<'a> {
    #[serde(borrow)]
    data: Bytes<'a>,
}

#[derive(Packet, Serialize, Deserialize)]
struct Judge<'a> {
    how: u8,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
#[packet("JUDGE_LATER")]
struct JudgeLater<'a> {
    how: u8,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Bad {
    why: String,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Bad)]
struct BadView<'a> {
    why: &'a str,
}

#[derive(Packet, Serialize, Deserialize)]
struct Title;

/// A packet of no codec but JSON.
#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
#[packet(json)]
struct Titled {
    title: String,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Titled)]
struct TitledView<'a> {
    title: &'a String,
}

#[derive(Packet, Serialize, Deserialize)]
struct Watch<'a> {
    #[serde(borrow)]
    note: Cow<'a, str>,
}

protocol! {
    Views {
        client {
            Add<'_> -> Sum,
            Later<'_> -> Sum,
            Echo<'_> -> Echoed,
            Judge<'_> -> Result<Sum, Bad>,
            JudgeLater<'_> -> Result<Sum, Bad>,
            Title -> Titled,
            Watch<'_> -> stream Result<Sum, Bad>,
        }
    }
}

struct App {
    title: String,
}

#[action("ADD")]
fn add(p: Add<'_>) -> SumView<'_> {
    SumView { sum: p.a + p.b, note: p.note }
}

#[action("LATER")]
async fn later(p: Later<'_>) -> Result<SumView<'_>, Failure> {
    if p.waits {
        tokio::task::yield_now().await;
    }
    if p.note.is_empty() { Err(Failure::internal("nothing to show")) } else { Ok(SumView { sum: 0, note: p.note }) }
}

#[action("ECHO")]
fn echo(p: Echo<'_>) -> Result<EchoedView<'_>, Failure> {
    Ok(EchoedView { data: p.data })
}

#[action("JUDGE")]
fn judge<'a>(p: Judge<'a>, app: &'a App) -> Result<SumView<'a>, BadView<'a>> {
    if p.how == 0 { Ok(SumView { sum: 1, note: p.note }) } else { Err(BadView { why: &app.title }) }
}

#[action("JUDGE_LATER")]
async fn judge_later(p: JudgeLater<'_>, app: &App) -> Result<Result<SumView<'static>, Bad>, Failure> {
    tokio::task::yield_now().await;
    match p.how {
        0 => Ok(Ok(SumView { sum: 1, note: p.note.into_owned().into() })),
        1 => Ok(Err(Bad { why: app.title.clone() })),
        _ => Err(Failure::internal("nothing to say")),
    }
}

/// What the state holds may be shown, too.
#[action("TITLE")]
async fn title<'a>(_p: Title, app: &'a App) -> TitledView<'a> {
    tokio::task::yield_now().await;
    TitledView { title: &app.title }
}

#[action("WATCH")]
async fn watch<'a>(p: Watch<'_>, out: StreamSender<Sum>, app: &'a App) -> Result<(), BadView<'a>> {
    let sent: Result<(), SendError> = out.send(Sum { sum: 1, note: p.note.into_owned() }).await;
    assert!(sent.is_ok());
    Err(BadView { why: &app.title })
}

actions! { server ViewServer(App) for Views: add, later, echo, judge, judge_later, title, watch }
actions! { client ViewClient for Views: }

async fn connect(dialect: Dialect) -> Client<Views> {
    let server = pnet::memory::serve(ViewServer, App { title: TITLE.to_owned() });
    server.connect_with(pnet::connect(ViewClient, ()).dialect(dialect)).await.expect("memory connects")
}

const TITLE: &str = "the title \"quoted\"";

/// With escapes, so that JSON cannot lend it to the handler.
const NOTES: [&str; 4] = ["a note", "\"quoted\"\n", "Übung", "0123456789012345678901234567890123456789"];

#[tokio::test]
async fn callers_get_the_packet() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let client = connect(dialect).await;
        for note in NOTES {
            let sum = client.call(Add { a: 1, b: 2, note: note.into() }).await.expect("is answered");
            assert_eq!(sum, Sum { sum: 3, note: note.to_owned() });
            for waits in [false, true] {
                let sum = client.call(Later { waits, note: note.into() }).await.expect("is answered");
                assert_eq!(sum, Sum { sum: 0, note: note.to_owned() });
            }
            let echoed = client.call(Echo { data: note.as_bytes().into() }).await.expect("is answered");
            assert_eq!(&*echoed.data, note.as_bytes());
        }
        let titled = client.call(Title).await.expect("is answered");
        assert_eq!(titled.title, TITLE);
        let failed = client.call(Later { waits: true, note: "".into() }).await;
        assert!(matches!(failed, Err(CallError::Failed { .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn callers_get_the_declared_error() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let client = connect(dialect).await;
        let sum = client.call(Judge { how: 0, note: "good".into() }).await.expect("is answered");
        assert_eq!(sum, Sum { sum: 1, note: "good".into() });
        let bad = client.call(Judge { how: 1, note: "bad".into() }).await;
        assert!(matches!(&bad, Err(CallError::Declared(Bad { why })) if why == TITLE), "{bad:?}");
        let sum = client.call(JudgeLater { how: 0, note: "good".into() }).await.expect("is answered");
        assert_eq!(sum, Sum { sum: 1, note: "good".into() });
        let bad = client.call(JudgeLater { how: 1, note: "bad".into() }).await;
        assert!(matches!(&bad, Err(CallError::Declared(Bad { .. }))), "{bad:?}");
        let failed = client.call(JudgeLater { how: 2, note: "bad".into() }).await;
        assert!(matches!(&failed, Err(CallError::Failed { .. })), "{failed:?}");
        let mut stream = client.stream(Watch { note: "seen".into() });
        let item = stream.next().await.expect("an item").expect("is none of the errors");
        assert_eq!(item, Sum { sum: 1, note: "seen".into() });
        let bad = stream.next().await;
        assert!(matches!(&bad, Some(Err(CallError::Declared(Bad { .. })))), "{bad:?}");
    }
}

#[tokio::test]
async fn callers_may_look_at_the_answer_where_it_lies() {
    let long = "a long note ".repeat(1000);
    for dialect in [Dialect::Native, Dialect::Json] {
        let client = connect(dialect).await;
        for note in NOTES.into_iter().chain([&*long]) {
            let call = client.call(Add { a: 1, b: 2, note: note.into() });
            let seen = call.view::<SumSeen<'_>>().read(|sum| {
                assert_eq!((sum.sum, &*sum.note), (3, note));
                matches!(sum.note, Cow::Borrowed(_))
            });
            // Text with escapes is put together.
            let escaped = dialect == Dialect::Json && note.contains('"');
            assert_eq!(seen.await.expect("is answered"), !escaped, "{note}");
            let call = client.call(Judge { how: 0, note: note.into() }).timeout(Duration::from_secs(5));
            let len = call.view::<SumSeen<'_>>().read(|sum| sum.note.len()).await.expect("is answered");
            assert_eq!(len, note.len());
            let call = client.call(Echo { data: note.as_bytes().into() });
            let data = call.view::<EchoedView<'_>>().read(|echoed| echoed.data.to_vec()).await.expect("is answered");
            assert_eq!(data, note.as_bytes());
        }
        let bad = client.call(Judge { how: 1, note: "bad".into() }).view::<SumSeen<'_>>().read(|_| panic!("no answer"));
        let bad = bad.await;
        assert!(matches!(&bad, Err(CallError::Declared(Bad { why })) if why == TITLE), "{bad:?}");
        let failed = client.call(Later { waits: true, note: "".into() }).view::<SumSeen<'_>>().read(|_| ()).await;
        assert!(matches!(failed, Err(CallError::Failed { .. })), "{failed:?}");
    }
}

/// It can be awaited in a task of its own, and what it returns may hold what it has moved there.
#[tokio::test]
async fn a_look_at_an_answer_is_sent_to_another_task() {
    let client = connect(Dialect::Native).await;
    let prefix = "note: ".to_owned();
    let call = client.call(Add { a: 1, b: 2, note: "one".into() });
    let look = tokio::spawn(call.view::<SumSeen<'_>>().read(move |sum| prefix + &sum.note));
    assert_eq!(look.await.expect("does not panic").expect("is answered"), "note: one");
}

/// Writes a view and its packet.
fn writes_the_same<V: View>(view: &V, packet: &V::Of) {
    for codec in [Codec::Postcard, Codec::Json] {
        let (mut shown, mut owned) = (b"before".to_vec(), b"before".to_vec());
        V::ENCODE(view, codec, &mut shown).expect("is written");
        packet.encode(codec, &mut owned).expect("is written");
        assert_eq!(shown, owned, "{codec:?}");
    }
}

#[derive(Schema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    the_name: String,
    kind: Option<u8>,
}

#[derive(Schema, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartView<'a> {
    #[serde(borrow)]
    the_name: Cow<'a, str>,
    kind: Option<u8>,
}

#[derive(Packet, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    all_parts: Vec<Part>,
    #[serde(default)]
    words: Vec<String>,
    first: Option<String>,
    by_name: BTreeMap<String, u64>,
    numbers: Vec<u8>,
    pair: (String, ByteBuf),
}

#[derive(Packet, Serialize)]
#[packet(view_of = Whole)]
#[serde(rename_all = "camelCase")]
struct WholeView<'p, 'w> {
    all_parts: Vec<PartView<'p>>,
    words: &'w [&'w str],
    first: Option<&'w str>,
    by_name: &'w BTreeMap<&'w str, u64>,
    numbers: &'w [u8],
    pair: (&'w String, Bytes<'w>),
    #[serde(skip)]
    unseen: Option<Rc<str>>,
}

#[derive(Packet, Serialize, Deserialize)]
enum Found {
    Nothing,
    Text(String),
    Place { x: f64, name: String },
}

#[derive(Packet, Serialize)]
#[packet(view_of = Found)]
enum FoundView<'a> {
    Nothing,
    Text(&'a str),
    Place { x: f64, name: &'a String },
}

#[derive(Packet, Serialize, Deserialize)]
struct Name(String);

#[derive(Packet, Serialize)]
#[packet(view_of = Name)]
struct NameView<'a>(&'a str);

#[derive(Packet, Serialize, Deserialize)]
struct Tree {
    label: String,
    children: Vec<Self>,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Tree)]
struct TreeView<'a> {
    label: &'a str,
    children: Vec<Self>,
}

#[test]
fn a_view_is_written_as_its_packet() {
    for note in NOTES {
        let sum = Sum { sum: 3, note: note.to_owned() };
        writes_the_same(&SumView { sum: 3, note: note.into() }, &sum);
        writes_the_same(&SumOf { sum: &3, note }, &sum);
        writes_the_same(&EchoedView { data: note.as_bytes().into() }, &Echoed { data: note.as_bytes().into() });
        writes_the_same(&FoundView::Text(note), &Found::Text(note.to_owned()));
        let (view, found) =
            (FoundView::Place { x: 0.5, name: &note.to_owned() }, Found::Place { x: 0.5, name: note.to_owned() });
        writes_the_same(&view, &found);
        writes_the_same(&NameView(note), &Name(note.to_owned()));
        let leaf = TreeView { label: note, children: vec![] };
        let view = TreeView { label: "root", children: vec![leaf] };
        let leaf = Tree { label: note.to_owned(), children: vec![] };
        writes_the_same(&view, &Tree { label: "root".to_owned(), children: vec![leaf] });
    }
    writes_the_same(&FoundView::Nothing, &Found::Nothing);
    let whole = Whole {
        all_parts: vec![Part { the_name: "one".into(), kind: None }, Part { the_name: "two".into(), kind: Some(2) }],
        words: vec!["a".into(), "b".into()],
        first: Some("first".into()),
        by_name: BTreeMap::from([("x".into(), 1)]),
        numbers: vec![1, 2, 3],
        pair: ("p".into(), vec![4, 5].into()),
    };
    let view = WholeView {
        all_parts: whole
            .all_parts
            .iter()
            .map(|part| PartView { the_name: part.the_name.as_str().into(), kind: part.kind })
            .collect(),
        words: &["a", "b"],
        first: whole.first.as_deref(),
        by_name: &BTreeMap::from([("x", 1)]),
        numbers: &whole.numbers,
        pair: (&whole.pair.0, (&*whole.pair.1).into()),
        unseen: None,
    };
    assert!(view.unseen.is_none());
    writes_the_same(&view, &whole);
}

#[test]
fn a_number_that_is_not_finite_is_refused_in_json() {
    let (view, mut out) = (FoundView::Place { x: f64::NAN, name: &String::new() }, b"before".to_vec());
    let refused = FoundView::ENCODE(&view, Codec::Json, &mut out);
    assert!(matches!(refused, Err(EncodeError::NotFinite { action: "FOUND" })), "{refused:?}");
    assert_eq!(out, b"before");
}

#[derive(Packet, Serialize, Deserialize)]
struct Loose {
    #[schema(opaque)]
    number: Number,
}

#[derive(Serialize, Deserialize)]
struct Number(u32);

#[derive(Packet, Serialize)]
#[packet(view_of = Loose)]
struct LooseView {
    #[schema(opaque)]
    number: Text,
}

struct Text;

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("no number")
    }
}

#[test]
fn what_no_schema_describes_is_decoded_in_debug_builds() {
    let mut out = b"before".to_vec();
    let written = LooseView::ENCODE(&LooseView { number: Text }, Codec::Json, &mut out);
    if cfg!(debug_assertions) {
        assert!(matches!(written, Err(EncodeError::DoesNotDecode { action: "LOOSE", .. })), "{written:?}");
        assert_eq!(out, b"before");
    }
}
