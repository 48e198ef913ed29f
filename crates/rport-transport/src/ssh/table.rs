//! The channels of a link by number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::channel::ChannelState;
use crate::channel::Channel;
use crate::connection::OpenError;

/// Who waits for the answer to our CHANNEL_OPEN.
pub(crate) type OpenWaiter = oneshot::Sender<Result<Channel, OpenError>>;

enum Slot {
    Free,
    /// Our CHANNEL_OPEN is out.
    Opening(OpenWaiter),
    /// The peer's CHANNEL_OPEN waits for the application's decision.
    Offered,
    Open(Arc<ChannelState>),
}

/// Numbers and states of all channels; the lowest free number is used first, as Go peers do.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: BinaryHeap<Reverse<u32>>,
    used: usize,
}

impl Table {
    /// Channels that take a number.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    fn insert(&mut self, slot: Slot) -> u32 {
        self.used += 1;
        if let Some(Reverse(id)) = self.free.pop()
            && let Some(place) = self.slots.get_mut(id as usize)
        {
            *place = slot;
            return id;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn insert_opening(&mut self, waiter: OpenWaiter) -> u32 {
        self.insert(Slot::Opening(waiter))
    }

    pub(crate) fn insert_offered(&mut self) -> u32 {
        self.insert(Slot::Offered)
    }

    /// The peer answered our open: hands out the waiter and keeps the number taken.
    pub(crate) fn take_opening(&mut self, id: u32) -> Option<OpenWaiter> {
        let slot = self.slots.get_mut(id as usize)?;
        match std::mem::replace(slot, Slot::Offered) {
            Slot::Opening(waiter) => Some(waiter),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// An offered or answered channel becomes open.
    pub(crate) fn set_open(&mut self, id: u32, state: Arc<ChannelState>) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            *slot = Slot::Open(state);
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Arc<ChannelState>> {
        match self.slots.get(id as usize) {
            Some(Slot::Open(state)) => Some(state),
            _ => None,
        }
    }

    /// Frees a number; returns the state of the channel if it was open.
    pub(crate) fn remove(&mut self, id: u32) -> Option<Arc<ChannelState>> {
        let slot = self.slots.get_mut(id as usize)?;
        let old = std::mem::replace(slot, Slot::Free);
        if matches!(old, Slot::Free) {
            return None;
        }
        self.used -= 1;
        if self.used == 0 {
            // An idle link keeps no table.
            *self = Self::default();
        } else {
            self.free.push(Reverse(id));
        }
        match old {
            Slot::Open(state) => Some(state),
            _ => None,
        }
    }

    /// Empties the table when the link ends.
    pub(crate) fn drain(&mut self) -> Vec<Arc<ChannelState>> {
        let slots = std::mem::take(self).slots;
        slots
            .into_iter()
            .filter_map(|slot| {
                if let Slot::Open(state) = slot {
                    Some(state)
                } else {
                    None
                }
            })
            .collect()
    }
}
