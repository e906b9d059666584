//! Makes the calls.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pnet::{CallError, Json, dynamic::Client};
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    record::Record,
    schedule::{self, Plan},
    times::{Times, nanos, times},
};
use crate::{arguments, exit::Failure, output::Output};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) plan: Plan,
    pub(super) packet: Json,
    pub(super) clients: Vec<Client>,
    pub(super) max_in_flight: usize,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) record: Record,
    /// How late the generator itself was.
    pub(super) late: Times,
    /// Whether ctrl-c has ended it.
    pub(super) interrupted: bool,
}

/// What the thread of the schedule and the calls share.
#[derive(Debug)]
struct Shared {
    load: Load,
    record: Mutex<Record>,
    open: AtomicUsize,
    stop: AtomicBool,
}

/// Opens all connections, some at a time, and says how long each took.
pub(super) async fn connect(arguments: &arguments::Load) -> Result<(Vec<Client>, Times), Failure> {
    let connecting = (0..arguments.connections.get()).map(|_| async {
        let (address, builder) = arguments.target.builder(arguments.timeout).await?;
        let start = Instant::now();
        // Pushes are not what is measured here: nobody reads them.
        let connected = builder.to(address).await;
        let (client, _inbox) = connected.map_err(|error| arguments.target.failure(error))?;
        Ok::<_, Failure>((client, start.elapsed()))
    });
    let opened: Vec<_> = stream::iter(connecting).buffered(CONNECTING).try_collect().await?;
    let mut took = times();
    let clients = opened.into_iter().map(|(client, time)| {
        took.saturating_record(nanos(time));
        client
    });
    Ok((clients.collect(), took))
}

/// Makes one call on each connection, so that none that is measured is the first.
pub(super) async fn warm_up(clients: &[Client], packet: &Json) -> Result<(), Failure> {
    let calls = clients.iter().map(|client| client.call(packet.clone()));
    stream::iter(calls).buffer_unordered(CONNECTING).try_for_each(|_| async { Ok(()) }).await.or_else(|error| {
        match error {
            // It is an answer, and will be counted as what it is.
            CallError::Declared(_) => Ok(()),
            error => {
                let failure = Failure::from(error);
                Err(Failure { message: format!("the call before the load failed: {}", failure.message), ..failure })
            }
        }
    })
}

/// Keeps to the plan, then waits for the answers for as long as a call may take.
pub(super) async fn run(load: Load, timeout: Duration, output: &Output) -> Result<Done, Failure> {
    let plan = load.plan;
    let start = Instant::now() + LEAD;
    let record = Mutex::new(Record::new(start, plan.length()));
    let shared = Arc::new(Shared { load, record, open: AtomicUsize::new(0), stop: AtomicBool::new(false) });

    let (ended, mut end) = oneshot::channel();
    let schedule = {
        let (shared, handle) = (Arc::clone(&shared), Handle::current());
        move || {
            let late = schedule::keep(plan, start, &shared.stop, |slot, due| launch(&shared, &handle, slot, due));
            // Nobody waits for it any more if this fails.
            let _ = ended.send(late);
        }
    };
    thread::Builder::new()
        .name("schedule".to_owned())
        .spawn(schedule)
        .map_err(|error| Failure::refused(format_args!("cannot start a thread: {error}")))?;

    let bar = progress_bar(&plan, output);
    let mut tick = tokio::time::interval(TICK);
    let (mut late, mut deadline, mut interrupted) = (None, None, false);
    loop {
        tokio::select! {
            ended = &mut end, if late.is_none() => {
                late = Some(ended.map_err(|_| Failure::refused("the thread of the schedule is gone"))?);
                deadline = Some(Instant::now() + timeout);
            }
            () = pnet::ctrl_c(), if !interrupted => {
                interrupted = true;
                shared.stop.store(true, Relaxed);
            }
            _ = tick.tick() => show(&bar, &shared, start),
        }
        let waited = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late.is_some() && (waited || interrupted || shared.open.load(Relaxed) == 0) {
            break;
        }
    }
    bar.finish_and_clear();
    let now = Instant::now();
    let mut record = std::mem::replace(&mut *shared.record(), Record::new(start, plan.length()));
    record.over(now);
    if !record.counts.add_up() {
        return Err(Failure::refused(format_args!(
            "the calls do not add up, which is a fault of this program: {:?}",
            record.counts
        )));
    }
    Ok(Done { record, late: late.unwrap_or_else(times), interrupted })
}

/// Starts a call, from the thread of the schedule. It waits for nothing.
fn launch(shared: &Arc<Shared>, handle: &Handle, slot: u64, due: Instant) {
    if shared.open.load(Relaxed) >= shared.load.max_in_flight {
        shared.record().not_sent();
        return;
    }
    shared.open.fetch_add(1, Relaxed);
    let shared = Arc::clone(shared);
    handle.spawn(async move {
        let clients = &shared.load.clients;
        let place = usize::try_from(slot % clients.len() as u64).unwrap_or(0);
        if let Some(client) = clients.get(place) {
            let packet = shared.load.packet.clone();
            shared.record().sent(slot, due, Instant::now());
            let result = client.call(packet).await;
            let now = Instant::now();
            shared.record().ended(slot, &result, now);
        }
        shared.open.fetch_sub(1, Relaxed);
    });
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn progress_bar(plan: &Plan, output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    // It hides itself where the standard error is no terminal.
    let bar =
        ProgressBar::with_draw_target(Some(plan.length().as_millis() as u64), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} % {msg}");
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

fn show(bar: &ProgressBar, shared: &Shared, start: Instant) {
    if bar.is_hidden() {
        return;
    }
    bar.set_position(start.elapsed().as_millis() as u64);
    let (sent, failed) = {
        let record = shared.record();
        (record.counts.sent, record.counts.failed())
    };
    bar.set_message(format!("{sent} sent, {} open, {failed} failed", shared.open.load(Relaxed)));
}

/// How many connections are made at a time.
const CONNECTING: usize = 32;

/// From the decision to start to the first call, so that the thread is there by then.
const LEAD: Duration = Duration::from_millis(50);

const TICK: Duration = Duration::from_millis(20);
