//! The signals that ask a program to end.

/// Ready when the user presses ctrl-c, or, on Unix, when the process is asked to terminate (SIGTERM).
///
/// If the signals cannot be listened to, which is logged as an error, this is never ready.
///
/// # Cancel safety
///
/// Dropping it loses nothing; but once it was polled, ctrl-c does not end the process by itself any more.
pub async fn ctrl_c() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                () = interrupt() => {}
                _ = terminate.recv() => {}
            },
            Err(error) => {
                tracing::error!(%error, "cannot listen to SIGTERM");
                interrupt().await;
            }
        }
    }
    #[cfg(not(unix))]
    interrupt().await;
}

async fn interrupt() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot listen to ctrl-c");
        std::future::pending::<()>().await;
    }
}
