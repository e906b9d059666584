//! Commands about the program as a whole.

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{Call, connections::as_json};
use crate::console::{
    fault::Fault,
    format,
    output::{Output, Table},
};

/// `stats`
pub(super) async fn stats(call: &Call<'_>) -> Result<Output, Fault> {
    let snapshot = call.inspector().snapshot();
    let (about, totals) = (&snapshot.about, &snapshot.totals);
    let closes = snapshot.closes.iter().map(|closes| format!("{} {} by {}", closes.count, closes.code, closes.by));
    let fields = vec![
        ("what", format!("{} of {} ({})", about.role, about.protocol, about.fingerprint)),
        ("pnet", about.version.clone()),
        ("addr", about.addr.clone()),
        ("key", about.key.clone().unwrap_or_default()),
        ("up for", format::age(about.uptime_ms)),
        ("draining", if about.draining { "yes".to_owned() } else { String::new() }),
        ("connections", format!("{} now, {} in all", totals.connections, totals.accepted)),
        ("received", format::flow(&totals.received)),
        ("sent", format::flow(&totals.sent)),
        ("in flight", format!("{} calls", totals.in_flight)),
        ("waiting", format!("{} packets, {} held", totals.queued, format::bytes(totals.memory))),
        ("ended", closes.collect::<Vec<_>>().join(", ")),
    ];
    let json = json!({
        "about": as_json(about)?, "totals": as_json(totals)?, "closes": as_json(&snapshot.closes)?,
    });
    Ok(Output::record(fields, json))
}

/// `limits`
pub(super) async fn limits(call: &Call<'_>) -> Result<Output, Fault> {
    let mut table = Table::new(LIMITS);
    for limit in call.inspector().snapshot().limits {
        let json = as_json(&limit)?;
        let used = limit.used.map(|used| used.to_string()).unwrap_or_default();
        table.push(vec![limit.name, limit.allowed.to_string(), limit.unit, used, limit.met.to_string()], json);
    }
    Ok(Output::table(table))
}

/// `tasks`
pub(super) async fn tasks(call: &Call<'_>) -> Result<Output, Fault> {
    let metrics = Handle::current().metrics();
    let (workers, alive) = (metrics.num_workers(), metrics.num_alive_tasks());
    let waiting = metrics.global_queue_depth();
    let handlers = call.inspector().snapshot().totals.in_flight;
    let threads = tokio::task::spawn_blocking(process_threads).await.unwrap_or_default();
    let named = threads.as_ref().map(|threads| {
        let count: usize = threads.iter().map(|(_, count)| count).sum();
        let names = threads.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ");
        (count, names)
    });
    let fields = vec![
        ("runtime", format!("{workers} worker threads, {alive} tasks, {waiting} of them waiting for a thread")),
        ("handlers", format!("{handlers} calls in flight")),
        ("process", named.map(|(count, names)| format!("{count} threads: {names}")).unwrap_or_default()),
    ];
    let names =
        threads.map(|threads| Value::Object(threads.into_iter().map(|(name, count)| (name, json!(count))).collect()));
    let json = json!({
        "workers": workers, "tasks": alive, "waiting": waiting, "in_flight": handlers, "threads": names,
    });
    Ok(Output::record(fields, json))
}

/// The threads of this process by name, where the system tells: on Linux.
fn process_threads() -> Option<Vec<(String, usize)>> {
    let mut counts = std::collections::BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").ok()?.take(MAX_THREADS) {
        // One may end while they are counted.
        let Ok(name) = task.and_then(|task| std::fs::read_to_string(task.path().join("comm"))) else { continue };
        *counts.entry(name.trim().to_owned()).or_insert(0) += 1;
    }
    Some(counts.into_iter().collect())
}

const LIMITS: &[&str] = &["<LIMIT", ">ALLOWED", "<UNIT", ">USED", ">MET"];
const MAX_THREADS: usize = 10_000;
