//! Keys for tests that speak TLS: made once in each test program, since that takes a moment.

use std::{sync::LazyLock, thread};

use pnet::Identity;

/// A server's.
pub fn server() -> Identity {
    SERVER.clone()
}

/// A client's.
pub fn client() -> Identity {
    CLIENT.clone()
}

/// Somebody else's.
pub fn stranger() -> Identity {
    STRANGER.clone()
}

static SERVER: LazyLock<Identity> = LazyLock::new(make);
static CLIENT: LazyLock<Identity> = LazyLock::new(make);
static STRANGER: LazyLock<Identity> = LazyLock::new(make);

/// On a thread of its own, as the test may be in a runtime already, whose clock may stand still.
fn make() -> Identity {
    let made = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
        runtime.block_on(Identity::generate_with(2048)).expect("a key can be made")
    });
    made.join().expect("no panic")
}
