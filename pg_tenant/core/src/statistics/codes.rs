//! Refusals by tenant and SQLSTATE: a table of fixed size, of which all zeros is an empty one.

use crate::statistics::Key;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PLACES: usize = 8192;
const WINDOW: usize = 32;

#[repr(C)]
struct Entry {
    key: AtomicU64,
    count: AtomicU64,
}

/// The table. Where it is full, a refusal is in the tenant's sum alone.
#[repr(C)]
pub struct Codes {
    entries: [Entry; PLACES],
}

/// Of a tenant's refusals those of one kind.
fn combined(key: Key, code: usize) -> u64 {
    (key.get().rotate_left(17) ^ (code as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
}

impl Codes {
    /// Counts one. `code` is its place in `Refusal::ALL`.
    pub fn count(&self, key: Key, code: usize) {
        let key = combined(key, code);
        let entry = self.window(key).find(|entry| {
            let taken = entry.key.compare_exchange(0, key, Relaxed, Relaxed);
            taken.is_ok() || taken == Err(key)
        });
        if let Some(entry) = entry {
            entry.count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were.
    pub fn get(&self, key: Key, code: usize) -> u64 {
        let key = combined(key, code);
        let entry = self.window(key).find(|entry| entry.key.load(Relaxed) == key);
        entry.map_or(0, |entry| entry.count.load(Relaxed))
    }

    /// Forgets them; the place stays taken.
    pub fn reset(&self, key: Key, code: usize) {
        let key = combined(key, code);
        if let Some(entry) = self.window(key).find(|entry| entry.key.load(Relaxed) == key) {
            entry.count.store(0, Relaxed);
        }
    }

    fn window(&self, key: u64) -> impl Iterator<Item = &Entry> {
        (0..WINDOW).map(move |step| &self.entries[(key as usize).wrapping_add(step) % PLACES])
    }
}
