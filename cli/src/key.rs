//! `pnet key`: a key of one's own, and what others know it by.

use pnet::Identity;
use serde_json::json;

use crate::{
    arguments::Key,
    exit::{Exit, Failure, explained},
    output::Output,
    runtime, text,
};

pub(crate) fn run(arguments: &Key, output: &Output) -> Result<Exit, Failure> {
    let made = !arguments.file.exists();
    runtime::until_ctrl_c(async {
        let identity = Identity::load_or_create(&arguments.file).await;
        let identity = identity.map_err(|error| Failure::usage(explained(&error)))?;
        let fingerprint = identity.fingerprint().to_string();
        let path = arguments.file.to_string_lossy();
        if made {
            output.note(&text::escape(&format!("a new key is in {path}")));
        }
        output.event(&json!({"fingerprint": fingerprint, "path": path, "made": made}), || fingerprint.clone())?;
        Ok(Exit::DONE)
    })
}
