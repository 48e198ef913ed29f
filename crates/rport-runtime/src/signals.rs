//! Signals as events.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What somebody asked the process to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: the init system wants the process to end.
    Terminate,
    /// SIGHUP: read files again.
    Hangup,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
}

impl Signal {
    /// Whether the process should end.
    pub fn stops(self) -> bool {
        matches!(self, Self::Interrupt | Self::Terminate)
    }
}

/// The signals of this process. From its creation on none of the five kills the process by itself.
#[derive(Debug)]
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
    user1: Stream,
    user2: Stream,
}

impl Signals {
    /// Takes over the signals. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next signal. Cancel-safe. Equal signals in quick succession may arrive as one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.hangup.recv() => Signal::Hangup,
            Some(()) = self.user1.recv() => Signal::User1,
            Some(()) = self.user2.recv() => Signal::User2,
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn signals_arrive_and_do_not_kill() {
        let mut signals = Signals::install().expect("installed");
        for (number, expected) in [
            (Number::HUP, Signal::Hangup),
            (Number::USR1, Signal::User1),
            (Number::USR2, Signal::User2),
        ] {
            kill_process(getpid(), number).expect("sent to ourselves");
            assert_eq!(signals.next().await, expected);
            assert!(!expected.stops());
        }
        kill_process(getpid(), Number::TERM).expect("sent to ourselves");
        assert!(signals.next().await.stops());
    }
}
