//! Messages to systemd. Each is a no-op where no one listens (`NOTIFY_SOCKET` unset).

use sd_notify::NotifyState;

/// Says that the process serves; units of type `notify` count as started from here on.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// Says that files are being read again; follow with [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// Says that the process is about to end by itself.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Says that the process is alive, for units with `WatchdogSec`.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd cannot be notified");
    }
}
