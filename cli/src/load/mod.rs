//! `pnet load`: calls at a fixed rate, whatever the server does, and how long they took.
//!
//! The generator is an open loop. [`schedule`] says when each call is due and starts it then, from a thread of its own, since
//! a runtime's sleep is a millisecond coarse. [`run`](mod@run) makes the calls, [`record`] counts them, and [`report`] says
//! what came of it, in words, as JSON, and with [`chart`] as a picture. [`times`] are measured from when a call was due, so a
//! server that stops for two seconds is seen to have made all those wait who would have called in that time.

mod chart;
mod record;
mod report;
mod run;
mod schedule;
mod times;

use std::fs;

use pnet::dynamic::{Client, Kind};

use self::{report::Report, run::Load, schedule::Plan};
use crate::{
    arguments,
    exit::{Exit, Failure},
    output::Output,
    packet, runtime,
};

/// `pnet load`
pub(crate) fn run(arguments: &arguments::Load, output: &Output) -> Result<Exit, Failure> {
    let data = packet::data(&arguments.data)?;
    let plan = Plan::new(arguments.rate, arguments.length).map_err(Failure::usage)?;
    let runtime = runtime::runtime(arguments.threads.into())?;
    let result = runtime.block_on(async {
        let connecting = async {
            let (clients, connect) = run::connect(arguments).await?;
            let first = clients.first().ok_or_else(|| Failure::usage("a load needs a connection"))?;
            let packet = packet::checked(first, &arguments.action, data, Kind::Call)?;
            run::warm_up(&clients, &packet).await?;
            let local = is_here(first);
            Ok::<_, Failure>((Load { plan, packet, clients, max_in_flight: arguments.max_in_flight }, connect, local))
        };
        let (load, connect, local) = tokio::select! {
            ready = connecting => ready?,
            () = pnet::ctrl_c() => return Err(Failure::interrupted()),
        };
        let done = run::run(load, arguments.timeout, output).await?;
        let interrupted = done.interrupted;
        let report = Report::new(arguments, plan, done, connect, local);
        output.event(&report.to_json(), || report.to_text(output))?;
        // A file that cannot be written does not take what was measured with it.
        if let Some(file) = &arguments.svg {
            fs::write(file, report.to_svg())
                .map_err(|error| Failure::refused(format_args!("cannot write {}: {error}", file.display())))?;
        }
        Ok(match (interrupted, report.is_valid()) {
            (true, _) => Exit::INTERRUPTED,
            (false, true) => Exit::DONE,
            (false, false) => Exit::REFUSED,
        })
    });
    runtime.shutdown_background();
    result
}

/// Whether the server has the same processors as the generator, as far as its address tells.
fn is_here(client: &Client) -> bool {
    client.addr().is_local()
}
