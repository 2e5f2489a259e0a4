//! Which gate is whose.

use crate::gates::Gate;
use crate::statistics::Key;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PLACES: usize = 16_384;
/// How many places a key may stand in.
const WINDOW: usize = 32;

#[repr(C)]
struct Entry {
    key: AtomicU64,
    gate: Gate,
}

/// Gates of the tenants that work at this moment. All zeros is none.
#[repr(C)]
pub struct Gates {
    entries: [Entry; PLACES],
}

impl Gates {
    /// The gate of this key, its own from now on; none where more tenants than there are places for work at this
    /// moment. `now` is in nanoseconds.
    pub fn claim(&self, key: Key, now: u64) -> Option<usize> {
        for place in window(key) {
            let entry = &self.entries[place];
            let taken = match entry.key.load(Relaxed) {
                0 => entry.key.compare_exchange(0, key.get(), Relaxed, Relaxed),
                other => Err(other),
            };
            match taken {
                Ok(_) => {
                    entry.gate.begin(now);
                    return Some(place);
                }
                Err(other) if other == key.get() => return Some(place),
                Err(_) => {}
            }
        }
        // Whoever has been away gives its place.
        window(key).find(|&place| {
            let entry = &self.entries[place];
            let before = entry.key.load(Relaxed);
            let taken =
                entry.gate.is_idle(now) && entry.key.compare_exchange(before, key.get(), Relaxed, Relaxed).is_ok();
            if taken {
                entry.gate.begin(now);
            }
            taken
        })
    }

    /// Where this key has its gate, if it has one.
    pub fn find(&self, key: Key) -> Option<usize> {
        window(key).find(|&place| self.is_of(place, key))
    }

    /// Whether this place is this key's.
    pub fn is_of(&self, place: usize, key: Key) -> bool {
        self.entries[place].key.load(Relaxed) == key.get()
    }

    /// The gate at a place that was claimed.
    pub fn gate(&self, place: usize) -> &Gate {
        &self.entries[place].gate
    }
}

fn window(key: Key) -> impl Iterator<Item = usize> {
    (0..WINDOW).map(move |step| (key.get() as usize).wrapping_add(step) % PLACES)
}
