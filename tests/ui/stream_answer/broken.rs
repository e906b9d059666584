//! The mistake is in the protocol; its handlers and calls are not blamed.

use pnet::{Client, SendError, StreamSender, action, actions, protocol};
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream stream Tick }
        server { Tick }
    }
}

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Net: watch }

pub async fn run(net: Client<Net>) {
    let _ = net.stream(Watch { count: 1 });
}
