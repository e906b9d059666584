//! Commands about how the program runs, and how it ends.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use serde_json::json;

use super::Call;
use crate::console::{
    fault::{Fault, Plan},
    format::counted,
    output::{After, Output},
};

/// `log LEVEL`
pub(super) async fn log(call: &Call<'_>) -> Result<Output, Fault> {
    let level = call.parsed.value(0).unwrap_or_default();
    let Some(control) = &call.session.shared().log else {
        return Err(Fault::refused("this program does not offer that; its author can, with `Console::log_control`"));
    };
    tracing::info!(operator = %call.session.operator(), command = "log", level, "an operator's command");
    match catch_unwind(AssertUnwindSafe(|| control(level))) {
        Ok(Ok(text)) => {
            let json = json!({"level": level, "text": text});
            Ok(Output::text(text, json))
        }
        Ok(Err(error)) => Err(Fault::refused(error)),
        Err(panic) => {
            crate::unwind::drop_quietly(panic);
            Err(Fault::refused("what sets the level has panicked"))
        }
    }
}

/// `drain [SECONDS]`
pub(super) async fn drain(call: &Call<'_>) -> Result<Output, Fault> {
    let seconds = match call.parsed.value(0) {
        None => GRACE,
        Some(word) => match word.parse() {
            Ok(seconds) if seconds <= MAX_GRACE => seconds,
            _ => return Err(Fault::usage(format!("{word} is no number of seconds from 0 to {MAX_GRACE}"))),
        },
    };
    let what = what(call);
    call.agreed(Plan::default(), || format!("Drain {what} within {seconds} s, and end it?"))?;
    tracing::info!(operator = %call.session.operator(), command = "drain", seconds, "an operator's command");
    call.session.shared().ending.drain(call.inspector().clone(), Duration::from_secs(seconds));
    let text = format!("draining {what}: what was accepted has {seconds} s");
    Ok(Output::text(text, json!({"draining": true, "seconds": seconds})))
}

/// `stop`
pub(super) async fn stop(call: &Call<'_>) -> Result<Output, Fault> {
    let what = what(call);
    call.agreed(Plan::default(), || format!("Stop {what} now?"))?;
    tracing::info!(operator = %call.session.operator(), command = "stop", "an operator's command");
    Ok(Output::text(format!("stopping {what}"), json!({"stopping": true})).then(After::Stop))
}

/// What would end.
fn what(call: &Call<'_>) -> String {
    let name = call.session.shared().title();
    if call.is_client() {
        return format!("the client \"{name}\"");
    }
    format!("the server \"{name}\" with {}", counted(call.inspector().conns().len() as u64, "connection"))
}

const GRACE: u64 = 10;
const MAX_GRACE: u64 = 24 * 60 * 60;
