//! `raw`'s loop with JSON, as well as we know how to: pnet's objects, one to a line, read in one pass into borrowed fields
//! behind one check for UTF-8; written from prepared text.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::raw::{Wire, write_all};
use crate::{
    contestant::{Client, Contestant, Gauge, Meter, NOTE, Result, expect},
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct FastJson;

impl Contestant for FastJson {
    const NAME: &'static str = "fast-json";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect];
    type Client = Arc<Mutex<Wire>>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move { serve_one(Wire::new(stream)?).await });
        }
    }

    async fn connect(addr: SocketAddr, _: Arc<AtomicU64>) -> Result<Self::Client> {
        Ok(Arc::new(Mutex::new(Wire::new(TcpStream::connect(addr).await?)?)))
    }
}

#[derive(Serialize, Deserialize)]
struct Add<'a> {
    a: i64,
    b: i64,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Sum<'a> {
    sum: i64,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

async fn serve_one(mut wire: Wire) -> Result<()> {
    let (mut out, mut stamp) = (Vec::new(), Vec::new());
    while wire.read().await? {
        stamp_now(&mut stamp);
        let mut used = 0;
        while let Some((line, len)) = next_line(&wire.buffer[used..wire.filled]) {
            used += len;
            let object: Object<'_> = serde_json::from_str(line)?;
            let (Some(Data::Add(add)), Some(id)) = (object.data, object.id) else { return Err("no call".into()) };
            let sum = Sum { sum: add.a.wrapping_add(add.b), note: add.note };
            put(&mut out, br#"{"action":"SUM","data":"#, &sum, &stamp, br#","re":"#, id)?;
        }
        wire.consume(used);
        write_all(&wire.write, &out).await?;
        out.clear();
    }
    Ok(())
}

impl Client for Arc<Mutex<Wire>> {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let mut wire = self.lock().await;
        let (mut out, mut stamp) = (Vec::new(), Vec::new());
        stamp_now(&mut stamp);
        put_add(&mut out, &Add { a, b, note: note.into() }, &stamp, 1)?;
        write_all(&wire.write, &out).await?;
        loop {
            if let Some((line, len)) = next_line(&wire.buffer[..wire.filled]) {
                let (_, sum) = sum_in(line)?;
                wire.consume(len);
                return Ok(sum);
            }
            if !wire.read().await? {
                return Err("the server has gone".into());
            }
        }
    }

    async fn drive(self, in_flight: usize, gauge: Arc<Gauge>) -> Result<()> {
        let mut wire = self.lock().await;
        let (mut out, mut stamp) = (Vec::new(), Vec::new());
        stamp_now(&mut stamp);
        for id in 0..u32::try_from(in_flight)? {
            put_add(&mut out, &Add { a: i64::from(id), b: 1, note: NOTE.into() }, &stamp, id)?;
        }
        let mut open = in_flight;
        write_all(&wire.write, &out).await?;
        while open > 0 {
            if !wire.read().await? {
                return Err("the server has gone".into());
            }
            out.clear();
            stamp_now(&mut stamp);
            let stop = gauge.stop.load(Relaxed);
            let (mut used, mut done) = (0, 0);
            while let Some((line, len)) = next_line(&wire.buffer[used..wire.filled]) {
                used += len;
                let (id, sum) = sum_in(line)?;
                expect(sum, i64::from(id) + 1)?;
                done += 1;
                if stop {
                    open -= 1;
                } else {
                    put_add(&mut out, &Add { a: i64::from(id), b: 1, note: NOTE.into() }, &stamp, id)?;
                }
            }
            wire.consume(used);
            gauge.done.fetch_add(done, Relaxed);
            write_all(&wire.write, &out).await?;
        }
        Ok(())
    }
}

fn sum_in(line: &str) -> Result<(u32, i64)> {
    let object: Object<'_> = serde_json::from_str(line)?;
    match (object.data, object.re) {
        (Some(Data::Sum(sum)), Some(re)) if sum.note == NOTE => Ok((re, sum.sum)),
        _ => Err("no sum".into()),
    }
}

/// The first line, and how long it is with its end.
fn next_line(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((str::from_utf8(&bytes[..end]).ok()?, end + 1))
}

fn put_add(out: &mut Vec<u8>, add: &Add<'_>, stamp: &[u8], id: u32) -> Result<()> {
    put(out, br#"{"action":"ADD","data":"#, add, stamp, br#","timeout":30000,"id":"#, id)
}

fn put(out: &mut Vec<u8>, head: &[u8], data: &impl Serialize, stamp: &[u8], key: &[u8], id: u32) -> Result<()> {
    out.extend_from_slice(head);
    serde_json::to_writer(&mut *out, data)?;
    out.extend_from_slice(stamp);
    out.extend_from_slice(key);
    serde_json::to_writer(&mut *out, &id)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Time and token: once a batch.
fn stamp_now(stamp: &mut Vec<u8>) {
    use std::io::Write as _;
    stamp.clear();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let token = "9dfa9f16-c214-474f-905d-6058dd5919cf";
    // Writing to memory does not fail.
    let _ = write!(stamp, r#","packet-created":{}.{:06},"token":"{token}""#, now.as_secs(), now.subsec_micros());
}

/// An object, whose data is read as its action says: the action comes first.
#[derive(Default)]
struct Object<'a> {
    data: Option<Data<'a>>,
    id: Option<u32>,
    re: Option<u32>,
}

enum Data<'a> {
    Add(Add<'a>),
    Sum(Sum<'a>),
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a packet")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Object<'de>, M::Error> {
        let (mut object, mut action) = (Object::default(), "");
        let mut created = 0.0;
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "action" => action = map.next_value()?,
                "data" if action == "ADD" => object.data = Some(Data::Add(map.next_value()?)),
                "data" if action == "SUM" => object.data = Some(Data::Sum(map.next_value()?)),
                "id" => object.id = Some(map.next_value()?),
                "re" => object.re = Some(map.next_value()?),
                "packet-created" => created = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        std::hint::black_box(created);
        Ok(object)
    }
}
