//! Commands about one connection, and the list of all.

use std::time::Duration;

use pnet_protocol::close::CloseCode;
use serde_json::{Value, json};

use super::Call;
use crate::{
    connection::Conn,
    console::{
        fault::Fault,
        format, ids,
        output::{Output, Table},
        sample,
    },
    inspect::{Connection, Flow},
    operate::ActError,
};

/// `list [--sort KEY] [--limit N]`
pub(super) async fn list(call: &Call<'_>) -> Result<Output, Fault> {
    let limit = match call.parsed.option("limit") {
        None => usize::MAX,
        Some(word) => word.parse().map_err(|_| Fault::usage(format!("--limit wants a number, and {word} is none")))?,
    };
    let snapshot = call.inspector().snapshot();
    let mut connections = snapshot.connections;
    let mut ids: Vec<String> = connections.iter().map(|connection| connection.id.clone()).collect();
    ids.sort_unstable();
    let len = ids::short_len_of(&ids);
    {
        let mut rates = call.session.rates();
        let key = call.parsed.option("sort").unwrap_or_default();
        if key.ends_with("_rate") {
            rates.look(&connections, std::time::Instant::now());
        }
        let descending = !["id", "addr", "form", "person", "key"].contains(&key);
        sample::sort(&mut connections, key, descending, &rates)?;
    }
    let total = connections.len();
    let has_people = connections.iter().any(|connection| connection.person.is_some());
    let mut columns = LIST.to_vec();
    if has_people {
        columns.insert(PERSON, "~PERSON");
    }
    let mut table = Table::new(&columns).of(total, "connections");
    for connection in connections.into_iter().take(limit) {
        let mut cells = row(&connection, len);
        if has_people {
            cells.insert(PERSON, connection.person.clone().unwrap_or_default());
        }
        table.push(cells, as_json(&connection)?);
    }
    Ok(Output::table(table))
}

/// `info ID`
pub(super) async fn info(call: &Call<'_>) -> Result<Output, Fault> {
    let conn = call.conn(0)?;
    let connection = Connection::of(&conn);
    let json = as_json(&connection)?;
    let fields = vec![
        ("id", connection.id.clone()),
        ("addr", connection.addr.clone()),
        ("form", format::form(&connection)),
        ("key", connection.key.clone().unwrap_or_default()),
        ("person", connection.person.clone().unwrap_or_default()),
        ("open for", format::age(connection.age_ms)),
        ("silent for", format::age(connection.idle_ms)),
        ("round trip", connection.rtt_us.map(format::micros_of).unwrap_or_default()),
        ("received", format::flow(&connection.received)),
        ("sent", format::flow(&connection.sent)),
        (
            "waiting",
            format!(
                "{} of {} packets, {}",
                connection.queue_packets,
                connection.queue_limit,
                format::bytes(connection.queue_bytes)
            ),
        ),
        ("in flight", format!("{} calls here, {} there", connection.in_flight, connection.awaited)),
        ("suspended", if connection.suspended { "yes".to_owned() } else { String::new() }),
    ];
    Ok(Output::record(fields, json))
}

/// `ping ID`
pub(super) async fn ping(call: &Call<'_>) -> Result<Output, Fault> {
    let conn = call.conn(0)?;
    let id = call.short(&conn);
    if !conn.lock().writer.can_ping() {
        return Err(Fault::refused(format!("{id} is of a form that is sent no pings: it was not made with pnet")));
    }
    match call.inspector().ping(&conn, PING).await {
        Ok(rtt) => Ok(Output::text(format!("{id} answers in {}", trip(rtt)), measured(&conn, rtt))),
        Err(error @ ActError::TimedOut(_)) => Err(Fault::timed_out(format!("{id}: {error}"))),
        Err(error) => Err(Fault::refused(format!("{id}: {error}"))),
    }
}

/// `suspend ID`
pub(super) async fn suspend(call: &Call<'_>) -> Result<Output, Fault> {
    call.servers_only("only what a server sends can be suspended")?;
    let conn = call.conn(0)?;
    call.inspector().suspend(&conn).map_err(Fault::refused)?;
    logged(call, "suspend", &conn);
    let id = call.short(&conn);
    Ok(Output::text(
        format!("{id} is sent answers only, until `resume {id}`"),
        json!({"id": conn.id.to_string(), "suspended": true}),
    ))
}

/// `resume ID`
pub(super) async fn resume(call: &Call<'_>) -> Result<Output, Fault> {
    call.servers_only("only what a server sends can be suspended")?;
    let conn = call.conn(0)?;
    call.inspector().resume(&conn).map_err(Fault::refused)?;
    logged(call, "resume", &conn);
    let text = format!("{} is sent everything again", call.short(&conn));
    Ok(Output::text(text, json!({"id": conn.id.to_string(), "suspended": false})))
}

/// `disconnect ID [REASON]`
pub(super) async fn disconnect(call: &Call<'_>) -> Result<Output, Fault> {
    let conn = call.conn(0)?;
    let reason = call.parsed.value(1).unwrap_or("disconnected by the operator");
    let id = call.short(&conn);
    logged(call, "disconnect", &conn);
    call.inspector().disconnect(&conn, CloseCode::Normal, reason).map_err(Fault::refused)?;
    // What follows in a script shall find it gone. It may have to write much first.
    let _ = tokio::time::timeout(SOON, conn.closed()).await;
    let text = format!("{id} ({}) is disconnected", conn.addr);
    Ok(Output::text(text, json!({"id": conn.id.to_string(), "addr": conn.addr.to_string(), "disconnected": true})))
}

pub(super) fn trip(rtt: Duration) -> String {
    format::micros(rtt.as_secs_f64() * 1e6)
}

pub(super) fn measured(conn: &Conn, rtt: Duration) -> Value {
    json!({"id": conn.id.to_string(), "rtt_us": u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)})
}

/// Notes who has done what to whom.
pub(super) fn logged(call: &Call<'_>, command: &str, conn: &Conn) {
    tracing::info!(operator = %call.session.operator(), command, connection = %conn.id, "an operator's command");
}

/// A value that serde can always write.
pub(super) fn as_json(value: &impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| Fault::refused(format!("cannot be shown as JSON: {error}")))
}

fn row(connection: &Connection, len: usize) -> Vec<String> {
    let flow = |flow: &Flow| format::count(flow.packets.saturating_add(flow.calls));
    vec![
        ids::short(&connection.id, len),
        connection.addr.clone(),
        format::form(connection),
        format::age(connection.age_ms),
        format::age(connection.idle_ms),
        connection.rtt_us.map(format::micros_of).unwrap_or_default(),
        flow(&connection.received),
        flow(&connection.sent),
        format::bytes(connection.received.bytes.saturating_add(connection.sent.bytes)),
        connection.queue_packets.to_string(),
        connection.in_flight.to_string(),
        if connection.suspended { "S".to_owned() } else { String::new() },
    ]
}

const LIST: &[&str] =
    &["<ID", "~ADDR", "<FORM", ">AGE", ">IDLE", ">RTT", ">IN", ">OUT", ">BYTES", ">QUEUE", ">FLY", "<S"];
/// Where the column of persons stands, if there are any.
const PERSON: usize = 3;
/// How long a ping is waited for. Less than any command may take, so that the words are its own.
const PING: Duration = Duration::from_secs(25);
/// How long a script waits until a connection is gone.
const SOON: Duration = Duration::from_secs(1);
