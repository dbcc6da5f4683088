//! What the user or the system tells a running command by signals.

use tokio::sync::watch;

use super::Context;
use crate::error::{Error, Exit};

/// SIGINT (Ctrl-C) and SIGTERM, from the moment of [`Signals::listen`] on.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen; the signals no longer end the process.
    ///
    /// # Errors
    /// If the system does not let us.
    #[cfg(unix)]
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| Error::new("can't wait for signals").because(error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// Never here.
    #[cfg(not(unix))]
    pub(super) fn listen() -> Result<Self, Error> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Gives a flag that becomes true with the first signal; the second one ends the process at once.
///
/// # Errors
/// As [`Signals::listen`].
pub(super) fn watched(context: &Context) -> Result<watch::Receiver<bool>, Error> {
    let (stop, flag) = watch::channel(false);
    let ui = context.ui.clone();
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        signals.next().await;
        let _ = stop.send(true);
        ui.say("interrupted: what is in flight is finished, nothing more is started; again to quit at once");
        signals.next().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(flag)
}
