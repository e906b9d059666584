//! The sender is for the error that may end the stream.

use pnet::{Failure, StreamSender, action, actions};
use sample::{Clock, Denied, Watch};

#[action("WATCH")]
async fn watch(_p: Watch, out: StreamSender<Denied>) -> Result<(), Failure> {
    out.send(Denied).await?;
    Ok(())
}

actions! { pub client Ui for Clock: watch }
