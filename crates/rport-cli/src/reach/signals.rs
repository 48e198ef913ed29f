//! Being told to stop.

use rport_runtime::signals::{Signal, Signals};

use crate::failure::{Failure, Result};

/// Hears when the operator or the system wants the program to end, and keeps it from ending by itself: a tunnel has to
/// be closed first.
pub(crate) struct Stop(Signals);

impl Stop {
    /// Takes the signals over from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> Result<Self> {
        Signals::install()
            .map(Self)
            .map_err(|error| Failure::error(format!("cannot listen to signals: {error}")))
    }

    /// Waits until the program should end; says by which signal. Cancel-safe.
    pub(crate) async fn wanted(&mut self) -> Signal {
        loop {
            match self.0.next().await {
                // A closed terminal ends a command as well.
                signal if signal.stops() || signal == Signal::Hangup => return signal,
                _ => {}
            }
        }
    }
}

/// Runs something that must not be cut short, such as opening or closing a tunnel, unless the operator insists by a
/// second signal.
///
/// # Errors
/// Those of the work, and when the operator insists.
pub(crate) async fn until_stopped<T>(
    stop: &mut Stop,
    patience: u32,
    work: impl Future<Output = Result<T>>,
) -> Result<(T, bool)> {
    tokio::pin!(work);
    let mut heard = 0;
    loop {
        tokio::select! {
            result = &mut work => return result.map(|value| (value, heard > 0)),
            _ = stop.wanted() => {
                heard += 1;
                if heard > patience {
                    return Err(Failure::interrupted());
                }
            }
        }
    }
}
